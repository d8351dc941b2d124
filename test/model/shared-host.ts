// One host of several on a bucket: random calls on its core, each with what the bucket's content says of its outcome.
import { setTimeout } from "node:timers/promises";
import { parentPath } from "../../src/posix/path.ts";
import { FileType } from "../../src/posix/stat.ts";
import { fileSystemDriver } from "../posix/file-system-driver.ts";
import type { PosixDriver } from "../posix/posix-driver.ts";
import { readFile, writeFile } from "../posix/suite/context.ts";
import type { TestCore } from "../support/core.ts";

/** Keys and what they hold: the truth that all hosts share. */
export type BucketModel = Map<string, string>;

/** Whether a call has to succeed; undefined where it depends on directories that only this host may have. */
export type Expectation = boolean | undefined;

function keyOf(path: string): string {
  return path.slice(1);
}

/** Whether keys below make `path` a directory for everybody. */
export function isImplied(bucket: BucketModel, path: string): boolean {
  if (path === "/") return true;
  for (const key of bucket.keys()) if (key.startsWith(`${keyOf(path)}/`)) return true;
  return false;
}

export class SharedHost {
  readonly core: TestCore;
  /** What was called last, and how it ended. */
  said = "";
  readonly #bucket: BucketModel;
  /** Directories that this host may have although no key is below them. */
  readonly #local = new Set<string>();

  constructor(core: TestCore, bucket: BucketModel) {
    this.core = core;
    this.#bucket = bucket;
  }

  get driver(): PosixDriver {
    return fileSystemDriver(this.core.core.fileSystem);
  }

  /** Writes a file; the model follows. */
  async write(path: string, text: string): Promise<string> {
    const expected = this.#isFree(path, true);
    return this.#run(`write ${path}`, expected, async () => {
      await writeFile(this.driver, path, text);
      this.#bucket.set(keyOf(path), text);
    });
  }

  async read(path: string): Promise<string> {
    const expected = this.#isFile(path);
    return this.#run(`read ${path}`, expected, async () => {
      let text = "";
      const isRight = async (): Promise<boolean> => {
        text = await readFile(this.driver, path);
        return text === this.#bucket.get(keyOf(path));
      };
      await soon(isRight, () => `${path} holds ${text}`);
    });
  }

  async unlink(path: string): Promise<string> {
    return this.#run(`unlink ${path}`, this.#isFile(path), async () => {
      await this.driver.unlink(path);
      this.#bucket.delete(keyOf(path));
      this.#mayKeep(parentPath(path));
    });
  }

  async mkdir(path: string): Promise<string> {
    const isThere = this.#isFile(path) === true || isImplied(this.#bucket, path);
    return this.#run(`mkdir ${path}`, isThere ? false : this.#isFree(path, false), async () => {
      await this.driver.mkdir(path);
      this.#local.add(path);
    });
  }

  async rmdir(path: string): Promise<string> {
    const mayBe = !isImplied(this.#bucket, path) && this.#mayHave(path);
    return this.#run(`rmdir ${path}`, mayBe ? undefined : false, async () => {
      await this.driver.rmdir(path);
      this.#local.delete(path);
      this.#mayKeep(parentPath(path));
    });
  }

  async rename(from: string, to: string): Promise<string> {
    if (from === to || to.startsWith(`${from}/`)) return "";
    const isDirectory = isImplied(this.#bucket, from);
    const expected = isDirectory ? this.#mayReplace(from, to) : this.#mayMove(from, to);
    return this.#run(`rename ${from} ${to}`, expected, async () => {
      const { mode } = await this.driver.lstat(from);
      await this.driver.rename(from, to);
      if ((mode & FileType.mask) === FileType.directory) this.#moveTree(from, to);
      else this.#moveKey(keyOf(from), keyOf(to));
      this.#mayKeep(parentPath(from));
    });
  }

  /** What is wrong with what this host shows, "" if nothing. */
  async check(): Promise<string> {
    let wrong = "";
    const isRight = async (): Promise<boolean> => {
      wrong = await this.#difference();
      return wrong === "";
    };
    await soon(isRight, () => wrong).catch((error: unknown) => {
      if (!(error instanceof Wrong)) throw error;
    });
    return wrong;
  }

  async #difference(): Promise<string> {
    const files = new Map<string, string>();
    const directories = new Set<string>();
    await this.#walk("/", files, directories);
    for (const path of directories) {
      if (!isImplied(this.#bucket, path) && !this.#mayHave(path)) return `${path} should be gone`;
    }
    for (const [key, text] of this.#bucket) {
      const path = `/${key}`;
      for (let at = parentPath(path); at !== "/"; at = parentPath(at)) {
        if (!directories.has(at)) return `directory ${at} is missing`;
      }
      if (!directories.has(path) && files.get(path) !== text) {
        return `${path} is ${files.get(path) ?? "missing"}, not ${text}`;
      }
    }
    for (const path of files.keys()) {
      if (!this.#bucket.has(keyOf(path))) return `file ${path} should be gone`;
    }
    return "";
  }

  async #walk(path: string, files: Map<string, string>, directories: Set<string>): Promise<void> {
    for (const [name, type] of await this.driver.readdir(path)) {
      const child = path === "/" ? `/${name}` : `${path}/${name}`;
      if (type === FileType.directory) {
        directories.add(child);
        await this.#walk(child, files, directories);
      } else files.set(child, await readFile(this.driver, child));
    }
  }

  async #run(line: string, expected: Expectation, call: () => Promise<void>): Promise<string> {
    let failure = "";
    try {
      await call();
      await this.core.core.drained();
    } catch (error) {
      if (error instanceof Wrong) return `${line}: ${error.message}`;
      if (!(error instanceof Error) || !("errno" in error)) throw error;
      failure = error.message;
    }
    this.said = `${line}: ${failure || "done"}`;
    if (expected === undefined || expected === (failure === "")) return "";
    return expected ? `${line}: ${failure}` : `${line}: should have failed`;
  }

  #isFile(path: string): Expectation {
    if (!this.#bucket.has(keyOf(path)) || isImplied(this.#bucket, path)) return false;
    return this.#mayHave(path) ? undefined : this.#areLocal(path) ? undefined : true;
  }

  /** Whether a name can be made or, if it may be there, replaced. */
  #isFree(path: string, mayBeFile: boolean): Expectation {
    if (isImplied(this.#bucket, path)) return false;
    if (!mayBeFile && this.#bucket.has(keyOf(path))) return false;
    const parent = parentPath(path);
    if (!isImplied(this.#bucket, parent)) return this.#mayHave(parent) ? undefined : false;
    return this.#mayHave(path) ? undefined : true;
  }

  #mayMove(from: string, to: string): Expectation {
    const isFile = this.#isFile(from);
    if (isFile === false) return this.#mayHave(from) ? undefined : false;
    const isFree = this.#isFree(to, true);
    return isFile === undefined || isFree === undefined ? undefined : isFree;
  }

  #mayReplace(from: string, to: string): Expectation {
    if (from.startsWith(`${to}/`)) return false;
    return this.#isFree(to, false) === true ? true : undefined;
  }

  /** A directory of this host, or one above it. */
  #mayHave(path: string): boolean {
    for (const local of this.#local) {
      if (local === path || local.startsWith(`${path}/`)) return true;
    }
    return false;
  }

  #areLocal(path: string): boolean {
    for (let at = parentPath(path); at !== "/"; at = parentPath(at)) {
      if (!isImplied(this.#bucket, at)) return true;
    }
    return false;
  }

  #mayKeep(path: string): void {
    if (path !== "/") this.#local.add(path);
  }

  #moveKey(from: string, to: string): void {
    const text = this.#bucket.get(from);
    if (text === undefined) throw new Wrong(`${from} was renamed and is not in the bucket`);
    this.#bucket.delete(from);
    this.#bucket.set(to, text);
  }

  /** All directories of a tree that was renamed here stay here until rmdir(2). */
  #moveTree(from: string, to: string): void {
    const isBelow = (key: string): boolean => `/${key}`.startsWith(`${from}/`);
    const below = [...this.#bucket.keys()].filter(isBelow);
    for (const key of below) {
      for (let at = parentPath(`/${key}`); at !== from; at = parentPath(at)) this.#local.add(at);
    }
    for (const key of below) {
      // an object that a directory of the same name hides is not touched
      const mayBeHidden = isImplied(this.#bucket, `/${key}`) || this.#mayHave(`/${key}`);
      if (mayBeHidden && this.core.s3.bucket.objects.get(key)) continue;
      this.#moveKey(key, keyOf(to) + key.slice(from.length - 1));
    }
    const isMoved = (path: string): boolean => path === from || path.startsWith(`${from}/`);
    for (const path of [...this.#local].filter(isMoved)) {
      this.#local.delete(path);
      this.#local.add(to + path.slice(from.length));
    }
    this.#local.add(to);
  }
}

class Wrong extends Error {}

/** A file that was just closed is shown from its staged file for some ms, until the cache has it. */
async function soon(isRight: () => Promise<boolean>, what: () => string): Promise<void> {
  for (const deadline = Date.now() + 3000; !(await isRight());) {
    if (Date.now() > deadline) throw new Wrong(what());
    await setTimeout(20);
  }
}
