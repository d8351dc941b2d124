// A program that changes the files of one directory, which nobody else does, and notes what it should not have been told.
import { setTimeout as sleep } from "node:timers/promises";
import type { FileSystem } from "../../src/fs/file-system.ts";
import { FsError } from "../../src/posix/errno.ts";
import { O_CREAT, O_RDONLY, O_RDWR, O_TRUNC, O_WRONLY } from "../../src/posix/open-flags.ts";
import { FileType } from "../../src/posix/stat.ts";
import { fileSystemDriver } from "../posix/file-system-driver.ts";
import type { PosixDriver, PosixFile } from "../posix/posix-driver.ts";
import { md5Hex } from "../support/loopback-s3/objects.ts";
import { rampBytes } from "../support/s3-store.ts";
import type { Random } from "../support/random.ts";

/** What S3's trouble may make of a call that needs bytes from the bucket. */
const HONEST = new Set(["EIO", "ESTALE"]);

export class FaultClient {
  /** Calls that failed and should not have, with what was done before. */
  readonly failures: string[] = [];
  readonly #driver: PosixDriver;
  readonly #top: string;
  readonly #random: Random;
  /** By path below the directory. */
  #files = new Map<string, Buffer>();
  readonly #log: string[] = [];
  /** Two of three names. */
  #folders = ["a", "b"];

  constructor(fileSystem: FileSystem, top: string, random: Random) {
    this.#driver = fileSystemDriver(fileSystem);
    this.#top = top;
    this.#random = random;
  }

  async start(): Promise<void> {
    await this.#driver.mkdir(this.#top);
    for (const folder of this.#folders) await this.#driver.mkdir(this.#at(folder));
  }

  async run(steps: number): Promise<void> {
    for (let i = 0; i < steps && this.failures.length === 0; i += 1) {
      await this.#step();
      await sleep(this.#random.integer(12));
    }
  }

  /** What the bucket and the mount must hold, by key. */
  expected(): Record<string, string> {
    const files = [...this.#files].map(([path, data]) => [this.#at(path).slice(1), md5Hex(data)]);
    return Object.fromEntries(files) as Record<string, string>;
  }

  /** What the mount shows, by key. */
  async shown(): Promise<Record<string, string>> {
    const found: Record<string, string> = {};
    for (const [folder] of await this.#driver.readdir(this.#top)) {
      const below = `${this.#top}/${folder}`;
      for (const [name, type] of await this.#driver.readdir(below)) {
        if (type !== FileType.file) continue;
        const data = await this.#with(`${below}/${name}`, O_RDONLY, (file) => file.read(0, 1e6));
        found[`${below}/${name}`.slice(1)] = md5Hex(data);
      }
    }
    return found;
  }

  async #step(): Promise<void> {
    const name = this.#files.size > 0 ? this.#random.pick([...this.#files.keys()]) : undefined;
    const roll = this.#random.integer(100);
    if (roll < 8) return this.#moveFolder();
    if (name === undefined || roll < 40) return this.#create();
    const old = this.#files.get(name) ?? Buffer.alloc(0);
    if (roll < 52) return this.#append(name, old);
    if (roll < 64) return this.#patch(name, old);
    if (roll < 76) return this.#rename(name, old);
    if (roll < 88) return this.#remove(name);
    return this.#look(name, old);
  }

  async #create(): Promise<void> {
    const name = `${this.#random.pick(this.#folders)}/f${this.#random.integer(4)}`;
    const data = this.#data(this.#random.pick([0, 1, 5000, 60_000]));
    await this.#change(`write ${name}`, () =>
      this.#with(this.#at(name), O_WRONLY | O_CREAT | O_TRUNC, (file) => file.write(0, data)),
    );
    this.#files.set(name, data);
  }

  async #append(name: string, old: Buffer): Promise<void> {
    const more = this.#data(3000);
    const isDone = await this.#needsBytes(`append ${name}`, () =>
      this.#with(this.#at(name), O_WRONLY, (file) => file.write(old.length, more)),
    );
    if (isDone) this.#files.set(name, Buffer.concat([old, more]));
    else await this.#remove(name);
  }

  async #patch(name: string, old: Buffer): Promise<void> {
    if (old.length < 100) return;
    const more = this.#data(50);
    const data = Buffer.from(old);
    data.set(more, 40);
    const isDone = await this.#needsBytes(`patch ${name}`, () =>
      this.#with(this.#at(name), O_RDWR, (file) => file.write(40, more)),
    );
    if (isDone) this.#files.set(name, data);
    else await this.#remove(name);
  }

  async #rename(name: string, data: Buffer): Promise<void> {
    const to = `${this.#random.pick(this.#folders)}/${this.#random.pick(["r0", "r1", "f0"])}`;
    if (to === name) return;
    await this.#change(`rename ${name} ${to}`, () =>
      this.#driver.rename(this.#at(name), this.#at(to)),
    );
    this.#files.delete(name);
    this.#files.set(to, data);
  }

  async #remove(name: string): Promise<void> {
    await this.#change(`unlink ${name}`, () => this.#driver.unlink(this.#at(name)));
    this.#files.delete(name);
  }

  async #look(name: string, data: Buffer): Promise<void> {
    await this.#needsBytes(`read ${name}`, async () => {
      const found = await this.#with(this.#at(name), O_RDONLY, (file) => file.read(0, 1e6));
      if (!found.equals(data)) throw new Error(`${found.length} other bytes, not ${data.length}`);
    });
  }

  /** To the name that is free: a few of these swap two directories. */
  async #moveFolder(): Promise<void> {
    const from = this.#random.pick(this.#folders);
    const to = ["a", "b", "z"].find((name) => !this.#folders.includes(name)) ?? "z";
    // what others may have put below has to be listed
    const isDone = await this.#needsBytes(`rename folder ${from} ${to}`, () =>
      this.#driver.rename(this.#at(from), this.#at(to)),
    );
    if (!isDone) return;
    this.#folders = this.#folders.map((name) => (name === from ? to : name));
    const moved = (path: string): string =>
      path.startsWith(`${from}/`) ? `${to}${path.slice(from.length)}` : path;
    this.#files = new Map([...this.#files].map(([path, data]) => [moved(path), data]));
  }

  /** A call that never fails. */
  async #change(what: string, work: () => Promise<unknown>): Promise<void> {
    await this.#note(what, work, () => false);
  }

  /** A call that may have to ask S3 for bytes; whether it was done. */
  #needsBytes(what: string, work: () => Promise<unknown>): Promise<boolean> {
    return this.#note(what, work, (name) => HONEST.has(name));
  }

  async #note(
    what: string,
    work: () => Promise<unknown>,
    isHonest: (errno: string) => boolean,
  ): Promise<boolean> {
    this.#log.push(what);
    try {
      await work();
      return true;
    } catch (error) {
      const errno = error instanceof FsError ? error.code : "none";
      this.#log.push(`  ${errno}`);
      if (!isHonest(errno)) {
        this.failures.push(`${this.#top}: ${this.#log.slice(-25).join("\n")}: ${String(error)}`);
      }
      return false;
    }
  }

  async #with<T>(path: string, flags: number, work: (file: PosixFile) => Promise<T>): Promise<T> {
    const file = await this.#driver.open(path, flags);
    try {
      return await work(file);
    } finally {
      await file.close();
    }
  }

  #at(path: string): string {
    return `${this.#top}/${path}`;
  }

  #data(size: number): Buffer {
    return Buffer.from(rampBytes(size, this.#random.integer(251)));
  }
}
