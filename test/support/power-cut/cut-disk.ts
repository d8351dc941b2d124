// The directory that a kill or a power cut leaves behind.
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Random } from "../random.ts";
import type { DiskOperation } from "./disk-log.ts";

/** `kill`: everything that the kernel was told. `power`: everything synced, and an arbitrary subset of the rest. */
export type CutKind = "kill" | "power";

/** Bytes that a disk writes wholly or not at all. */
const SECTOR = 512;
/** The root directory of the recorded file system. */
const ROOT = 1;

interface DiskFile {
  data: Buffer;
  size: number;
}

/** A disk as of some moment, in memory. */
export class CutDisk {
  readonly #files = new Map<number, DiskFile>();
  /** Names of directories: inode of what they name. */
  readonly #directories = new Map<number, Map<string, number>>([[ROOT, new Map()]]);
  /** Operations that the cut took away, wholly or in part. */
  lost = 0;

  /** Writes the tree to a directory that exists. */
  async writeTo(directory: string, ino = ROOT): Promise<void> {
    for (const [name, child] of this.#directories.get(ino) ?? []) {
      const path = join(directory, name);
      const file = this.#files.get(child);
      if (file !== undefined) {
        await writeFile(path, file.data.subarray(0, file.size));
      } else {
        await mkdir(path);
        await this.writeTo(path, child);
      }
    }
  }

  apply(operation: DiskOperation): void {
    switch (operation.do) {
      case "create":
        this.#files.set(operation.ino, { data: Buffer.alloc(0), size: 0 });
        this.#directories.get(operation.parent)?.set(operation.name, operation.ino);
        break;
      case "mkdir":
        this.#directories.set(operation.ino, new Map());
        this.#directories.get(operation.parent)?.set(operation.name, operation.ino);
        break;
      case "unlink":
      case "rmdir":
        this.#forget(operation.parent, operation.name, operation.ino);
        break;
      case "rename":
        this.#forget(operation.parent, operation.name, operation.ino);
        this.#directories.get(operation.toParent)?.set(operation.toName, operation.ino);
        break;
      case "write":
        this.#write(operation.ino, operation.offset, operation.data);
        break;
      case "truncate":
        this.#resize(operation.ino, operation.size);
        break;
      case "sync":
        break;
      default:
        operation satisfies never;
    }
  }

  /** Applies what a cut left of an operation that was not synced: with luck all, else a part or nothing of it. */
  applyByLuck(operation: DiskOperation, random: Random, percent: number): void {
    if (random.chance(percent)) {
      this.apply(operation);
      return;
    }
    this.lost += 1;
    // the inode is there as soon as anything refers to it; what is lost is the name
    if (operation.do === "create")
      this.#files.set(operation.ino, { data: Buffer.alloc(0), size: 0 });
    if (operation.do === "mkdir") this.#directories.set(operation.ino, new Map());
    if (operation.do !== "write") return;
    const { ino, offset, data } = operation;
    const fate = random.integer(3);
    if (fate === 0) return;
    // the new size got through and the bytes did not, or only some sectors of them
    this.#extend(ino, offset + data.length);
    if (fate === 1) return;
    for (let at = 0; at < data.length; at += SECTOR) {
      if (random.chance(50)) this.#write(ino, offset + at, data.subarray(at, at + SECTOR));
    }
  }

  #forget(parent: number, name: string, ino: number): void {
    const names = this.#directories.get(parent);
    // another file took the name by a rename that got through
    if (names?.get(name) === ino) names.delete(name);
  }

  #write(ino: number, offset: number, data: Uint8Array): void {
    this.#extend(ino, offset + data.length);
    this.#files.get(ino)?.data.set(data, offset);
  }

  #extend(ino: number, size: number): void {
    const file = this.#files.get(ino);
    if (file !== undefined && file.size < size) this.#resize(ino, size);
  }

  #resize(ino: number, size: number): void {
    const file = this.#files.get(ino);
    if (file === undefined) return;
    if (size > file.data.length) {
      const grown = Buffer.alloc(Math.max(size, 2 * file.data.length));
      grown.set(file.data.subarray(0, file.size));
      file.data = grown;
    }
    if (size < file.size) file.data.fill(0, size, file.size);
    file.size = size;
  }
}

/** The disk after the first `count` operations of a log. */
export function cutDisk(
  log: readonly DiskOperation[],
  count: number,
  kind: CutKind,
  random: Random,
): CutDisk {
  const disk = new CutDisk();
  const isDurable = durability(log, count);
  // from hardly anything to nearly everything of what was not synced gets through
  const percent = random.pick([0, 10, 50, 90, 100]);
  for (const [i, operation] of log.slice(0, count).entries()) {
    if (kind === "kill" || isDurable[i] === true) disk.apply(operation);
    else disk.applyByLuck(operation, random, percent);
  }
  return disk;
}

/** For each of the first `count` operations whether a later one of them made it durable. */
function durability(log: readonly DiskOperation[], count: number): readonly boolean[] {
  const isDurable: boolean[] = [];
  const synced = new Set<number>();
  for (let i = count - 1; i >= 0; i -= 1) {
    const operation = log[i];
    if (operation === undefined) continue;
    if (operation.do === "sync") synced.add(operation.ino);
    isDurable[i] = placesOf(operation).some((ino) => synced.has(ino));
  }
  return isDurable;
}

/** Whose fsync makes an operation durable: the file's for its bytes, the directory's for its names. */
function placesOf(operation: DiskOperation): readonly number[] {
  if (operation.do === "rename") return [operation.parent, operation.toParent];
  return "parent" in operation ? [operation.parent] : [operation.ino];
}
