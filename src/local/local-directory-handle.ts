// opendir(3) of a directory on the local disk.
import type { BigIntStats } from "node:fs";
import { lstat, open } from "node:fs/promises";
import type { DirectoryEntry, DirectoryHandle } from "../fs/file-system.ts";
import { Errno, errnoOf, toSystemFsError } from "../posix/errno.ts";
import type { DirectoryTree } from "./directory-tree.ts";
import { entryOfFile } from "./local-stat.ts";

const BATCH = 64;

/** Names as they were at opendir(3), less those that went before they were read; attributes as of the read. */
export class LocalDirectoryHandle implements DirectoryHandle {
  readonly #tree: DirectoryTree;
  readonly #path: string;
  readonly #names: readonly string[];
  /** What was told, in order: an offset is a place in it. */
  readonly #told: DirectoryEntry[] = [];
  #next = 0;

  constructor(tree: DirectoryTree, path: string, names: readonly string[]) {
    this.#tree = tree;
    this.#path = path;
    this.#names = names;
  }

  async read(offset: number): Promise<readonly DirectoryEntry[]> {
    try {
      if (offset < this.#told.length) return await this.#again(offset);
      while (offset >= this.#told.length && this.#next < this.#names.length) await this.#more();
    } catch (error) {
      throw toSystemFsError(error, `Cannot list "${this.#path}"`);
    }
    return this.#told.slice(offset);
  }

  async fsync(): Promise<void> {
    try {
      await this.#tree.inside(this.#path, async (place) => {
        const directory = await open(`${place}/.`);
        try {
          await directory.sync();
        } finally {
          await directory.close();
        }
      });
    } catch (error) {
      throw toSystemFsError(error, `Cannot sync "${this.#path}"`);
    }
  }

  release(): void {}

  async #more(): Promise<void> {
    const names = this.#names.slice(this.#next, this.#next + BATCH);
    this.#next += names.length;
    const stats = await this.#stats(names);
    names.forEach((name, index) => {
      const file = stats[index];
      if (file !== undefined) this.#told.push({ name, ...entryOfFile(file) });
    });
  }

  /** A name that is gone keeps its place and number, and has no type. */
  async #again(offset: number): Promise<readonly DirectoryEntry[]> {
    const told = this.#told.slice(offset, offset + BATCH);
    const stats = await this.#stats(told.map(({ name }) => name));
    return told.map(({ name, stat }, index) => {
      const file = stats[index];
      if (file !== undefined) return { name, ...entryOfFile(file) };
      return { name, stat: { ...stat, mode: 0 }, validMs: 0 };
    });
  }

  /** Undefined for names that are gone. */
  #stats(names: readonly string[]): Promise<(BigIntStats | undefined)[]> {
    return this.#tree.inside(this.#path, (place) =>
      Promise.all(names.map((name) => statIfThere(`${place}/${name}`))),
    );
  }
}

/** Attributes of what has a name, undefined when nothing has. */
export async function statIfThere(place: string): Promise<BigIntStats | undefined> {
  try {
    return await lstat(place, { bigint: true });
  } catch (error) {
    if (errnoOf(error) === Errno.ENOENT) return undefined;
    throw error;
  }
}
