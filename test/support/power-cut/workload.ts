// Clients that change their own directories at random, and remember what each moment promised.
import { Random } from "../random.ts";
import type { PosixDriver, PosixFile } from "../../posix/posix-driver.ts";
import {
  O_CREAT,
  O_RDONLY,
  O_RDWR,
  O_TRUNC,
  O_WRONLY,
  O_EXCL,
} from "../../../src/posix/open-flags.ts";

/** Below a client's directory: bytes of files, and directories. */
export type Tree = ReadonlyMap<string, Buffer | "directory">;

/** What the client's directory held from the answer at `ended` on; ns on the monotonic clock. */
export interface Promised {
  readonly started: bigint;
  readonly ended: bigint;
  readonly what: string;
  readonly tree: Tree;
}

const NAMES = ["a", "b", "c", "d"];
const DIRECTORIES = ["", "x/", "y/"];

/** One client; its operations come one after the other. */
export class Client {
  readonly directory: string;
  readonly history: Promised[] = [];
  readonly #driver: PosixDriver;
  readonly #random: Random;
  readonly #undelete: (path: string) => Promise<boolean>;
  /** What each path ever held, by path: Base64. */
  readonly #held = new Map<string, Set<string>>();
  #tree = new Map<string, Buffer | "directory">();
  /** Written to and not closed; its path may have gone meanwhile. */
  #open: { file: PosixFile; path: string; content: Buffer } | undefined;

  /** `undelete` resolves to whether the path is back. */
  constructor(
    driver: PosixDriver,
    directory: string,
    random: Random,
    undelete: (path: string) => Promise<boolean>,
  ) {
    this.#undelete = undelete;
    this.#driver = driver;
    this.directory = directory;
    this.#random = random;
  }

  async start(): Promise<void> {
    await this.#do(
      "begin",
      () => this.#driver.mkdir(this.directory),
      () => undefined,
    );
  }

  /** One random operation. */
  async step(): Promise<void> {
    const random = this.#random;
    const path = random.pick(DIRECTORIES) + random.pick(NAMES);
    const isThere = this.#tree.has(path);
    const roll = random.integer(100);
    if (!this.#tree.has("x") || !this.#tree.has("y")) return this.#makeDirectory();
    if (this.#open !== undefined && roll < 15) return this.#close(this.#open);
    if (this.#open?.path === path) return this.#sync(this.#open);
    const gone = [...this.#held.keys()].filter((held) => !this.#tree.has(held));
    if (gone.length > 0 && random.chance(15)) return this.#bringBack(random.pick(gone));
    if (!isThere) return roll < 85 ? this.#write(path, O_CREAT | O_EXCL) : this.#begin(path);
    if (roll < 25) return this.#write(path, O_TRUNC);
    if (roll < 40) return this.#modify(path);
    if (roll < 50) return this.#truncate(path);
    if (roll < 65) return this.#unlink(path);
    if (roll < 85) return this.#rename(path);
    if (roll < 93) return this.#renameDirectory();
    return this.#begin(path);
  }

  /** Closes what is open. */
  async end(): Promise<void> {
    if (this.#open !== undefined) await this.#close(this.#open);
  }

  async #do(
    what: string,
    work: () => Promise<unknown>,
    change: (tree: Map<string, Buffer | "directory">) => void,
  ): Promise<void> {
    const tree = new Map(this.#tree);
    change(tree);
    const started = process.hrtime.bigint();
    await work();
    this.#keep(started, what, tree);
  }

  #keep(started: bigint, what: string, tree: Map<string, Buffer | "directory">): void {
    this.history.push({ started, ended: process.hrtime.bigint(), what, tree });
    this.#tree = tree;
    for (const [path, value] of tree) {
      if (value === "directory") continue;
      const held = this.#held.get(path) ?? new Set();
      this.#held.set(path, held.add(value.toString("base64")));
    }
  }

  /** Only a mount with delete_delay knows of anything; which version was in the bucket by then is its business. */
  async #bringBack(path: string): Promise<void> {
    if (this.#open?.path === path) return;
    const started = process.hrtime.bigint();
    if (!(await this.#undelete(this.#at(path)))) return;
    const tree = new Map(this.#tree);
    const file = await this.#driver.open(this.#at(path), O_RDONLY);
    const content = await file.read(0, (await file.stat()).size);
    await file.close();
    if (this.#held.get(path)?.has(content.toString("base64")) !== true) {
      throw new Error(`${path} came back with ${content.length} bytes that it never had`);
    }
    this.#keep(started, `undelete ${path}`, tree.set(path, content));
  }

  #at(path: string): string {
    return `${this.directory}/${path}`;
  }

  #content(): Buffer {
    const sizes = [0, 1, 4096, 5000, 20_000, 70_000];
    const size = this.#random.pick(sizes);
    const first = this.#random.integer(256);
    return Buffer.from(Uint8Array.from({ length: size }, (_, i) => (first + i) % 251));
  }

  async #write(path: string, flags: number): Promise<void> {
    const content = this.#content();
    const write = async (): Promise<void> => {
      const file = await this.#driver.open(this.#at(path), O_WRONLY | flags);
      await file.write(0, content);
      await file.close();
    };
    await this.#do(`write ${path}`, write, (tree) => tree.set(path, content));
  }

  async #modify(path: string): Promise<void> {
    const old = this.#bytes(path);
    const patch = this.#content().subarray(0, 3000);
    const offset = this.#random.integer(old.length + 1);
    const content = Buffer.alloc(Math.max(old.length, offset + patch.length));
    content.set(old);
    content.set(patch, offset);
    const modify = async (): Promise<void> => {
      const file = await this.#driver.open(this.#at(path), O_RDWR);
      await file.write(offset, patch);
      await file.close();
    };
    await this.#do(`modify ${path}`, modify, (tree) => tree.set(path, content));
  }

  async #truncate(path: string): Promise<void> {
    const old = this.#bytes(path);
    const content = Buffer.from(old.subarray(0, this.#random.integer(old.length + 1)));
    const truncate = (): Promise<void> => this.#driver.truncate(this.#at(path), content.length);
    await this.#do(`truncate ${path}`, truncate, (tree) => tree.set(path, content));
  }

  async #unlink(path: string): Promise<void> {
    this.#leave(path);
    const unlink = (): Promise<void> => this.#driver.unlink(this.#at(path));
    await this.#do(`unlink ${path}`, unlink, (tree) => tree.delete(path));
  }

  async #rename(path: string): Promise<void> {
    const to = this.#random.pick(DIRECTORIES) + this.#random.pick(NAMES);
    if (to === path) return;
    this.#leave(to);
    if (this.#open?.path === path) this.#open.path = to;
    const content = this.#bytes(path);
    const rename = (): Promise<void> => this.#driver.rename(this.#at(path), this.#at(to));
    await this.#do(`rename ${path} ${to}`, rename, (tree) => {
      tree.delete(path);
      tree.set(to, content);
    });
  }

  /** x becomes z; y becomes x; z becomes y: three calls, each of a directory with files. */
  async #renameDirectory(): Promise<void> {
    for (const [from, to] of ["xz", "yx", "zy"]) {
      const open = this.#open;
      if (open?.path.startsWith(`${from}/`) === true) open.path = `${to}${open.path.slice(1)}`;
      const rename = (): Promise<void> =>
        this.#driver.rename(this.#at(from ?? ""), this.#at(to ?? ""));
      await this.#do(`rename ${from} ${to}`, rename, (tree) => {
        for (const [path, content] of this.#tree) {
          if (path !== from && !path.startsWith(`${from}/`)) continue;
          tree.delete(path);
          tree.set(`${to}${path.slice(1)}`, content);
        }
      });
    }
  }

  async #makeDirectory(): Promise<void> {
    const name = this.#tree.has("x") ? "y" : "x";
    const make = (): Promise<void> => this.#driver.mkdir(this.#at(name));
    await this.#do(`mkdir ${name}`, make, (tree) => tree.set(name, "directory"));
  }

  /** Opens and writes, and neither closes nor syncs: promises nothing. */
  async #begin(path: string): Promise<void> {
    if (this.#open !== undefined) return this.#close(this.#open);
    const isThere = this.#tree.has(path);
    const file = await this.#driver.open(this.#at(path), O_RDWR | (isThere ? 0 : O_CREAT));
    const content = Buffer.from(this.#tree.get(path) ?? []);
    this.#open = { file, path, content };
    await this.#append(this.#open);
  }

  async #append(open: { file: PosixFile; content: Buffer }): Promise<void> {
    const more = this.#content();
    await open.file.write(open.content.length, more);
    open.content = Buffer.concat([open.content, more]);
  }

  /** fsync, and then bytes that nobody is promised. */
  async #sync(open: { file: PosixFile; path: string; content: Buffer }): Promise<void> {
    const { content } = open;
    await this.#do(
      `fsync ${open.path}`,
      () => open.file.sync(),
      (tree) => void (open.path !== "" && tree.set(open.path, content)),
    );
    await this.#append(open);
  }

  async #close(open: { file: PosixFile; path: string; content: Buffer }): Promise<void> {
    this.#open = undefined;
    await this.#do(
      `close ${open.path}`,
      () => open.file.close(),
      (tree) => void (open.path !== "" && tree.set(open.path, open.content)),
    );
  }

  /** The name goes: what is open keeps its bytes to itself. */
  #leave(path: string): void {
    if (this.#open?.path === path) this.#open.path = "";
  }

  #bytes(path: string): Buffer {
    const content = this.#tree.get(path);
    if (!(content instanceof Buffer)) throw new Error(`${path} is no file`);
    return content;
  }
}
