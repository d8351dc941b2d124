// A staged file while someone has it open.
import { fstatSync } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { Errno, errnoOf, FsError, toSystemFsError } from "../posix/errno.ts";
import { SEEK_DATA, SEEK_HOLE, type SystemCalls } from "../posix/syscalls.ts";
import { STAT_BLOCK } from "../posix/stat.ts";
import type { StagedFile } from "./spool.ts";

/** What an open file needs of its spool. */
export interface OpenFileHost {
  /** Undefined where system calls beyond Node's are not to be had. */
  readonly system: SystemCalls | undefined;
  /** Waits for room for `bytes`, if it must; rejects with ENOSPC. */
  take(bytes: number): Promise<void> | undefined;
  /** The last use ended; the descriptor is still open. */
  unused(file: OpenStagedFile): void;
}

/** One descriptor, shared by all uses; it closes after the last use and the last call under way (FileHandle waits). */
export class OpenStagedFile {
  readonly id: string;
  readonly handle: FileHandle;
  readonly #entrySynced: () => Promise<void>;
  readonly #host: OpenFileHost;
  #uses = 0;
  #syncFailure: FsError | undefined;

  constructor(init: {
    id: string;
    handle: FileHandle;
    entrySynced: () => Promise<void>;
    host: OpenFileHost;
  }) {
    this.id = init.id;
    this.handle = init.handle;
    this.#entrySynced = init.entrySynced;
    this.#host = init.host;
  }

  use(): StagedFile {
    this.#uses += 1;
    return new StagedFileUse(this);
  }

  unuse(): void {
    this.#uses -= 1;
    if (this.#uses === 0) this.#host.unused(this);
  }

  stat(): { size: number; mtimeNs: bigint; blocks: number } {
    const { size, mtimeNs, blocks } = fstatSync(this.handle.fd, { bigint: true });
    return { size: Number(size), mtimeNs, blocks: Number(blocks) };
  }

  /** Bytes on the disk: a sparse file takes less than its size. */
  diskBytes(): number {
    return fstatSync(this.handle.fd).blocks * STAT_BLOCK;
  }

  async read(offset: number, length: number): Promise<Uint8Array> {
    const buffer = Buffer.allocUnsafe(length);
    let filled = 0;
    while (filled < length) {
      const { bytesRead } = await this.#run("read", () =>
        this.handle.read(buffer, filled, length - filled, offset + filled),
      );
      if (bytesRead === 0) break;
      filled += bytesRead;
    }
    return buffer.subarray(0, filled);
  }

  async write(offset: number, data: Uint8Array): Promise<void> {
    const wait = this.#host.take(data.length);
    if (wait !== undefined) await wait;
    let done = 0;
    while (done < data.length) {
      const { bytesWritten } = await this.#run("write", () =>
        this.handle.write(data, done, data.length - done, offset + done),
      );
      done += bytesWritten;
    }
  }

  async truncate(size: number): Promise<void> {
    await this.#run("truncate", () => this.handle.truncate(size));
  }

  async allocate(mode: number, offset: number, length: number): Promise<void> {
    const { system } = this.#host;
    if (system === undefined) {
      throw new FsError("EOPNOTSUPP", "Cannot allocate: fallocate(2) is out of reach");
    }
    // mode 0 and KEEP_SIZE reserve blocks, the others free or zero them
    const wait = mode <= 1 ? this.#host.take(length) : undefined;
    if (wait !== undefined) await wait;
    await system.fallocate(this.handle.fd, mode, offset, length);
  }

  // Without lseek(2) a file is one piece of data with the hole at its end, which POSIX allows.
  async seek(offset: number, whence: number): Promise<number> {
    if (whence !== SEEK_DATA && whence !== SEEK_HOLE) {
      throw new FsError("EINVAL", `Cannot seek with whence ${whence}`);
    }
    const { system } = this.#host;
    if (system !== undefined) return system.lseek(this.handle.fd, offset, whence);
    const { size } = this.stat();
    if (offset >= size) throw new FsError("ENXIO", "Cannot seek behind the end");
    return whence === SEEK_DATA ? offset : size;
  }

  // After a failed fdatasync the kernel may have dropped the pages, and the next one would say that all is well.
  async sync(): Promise<void> {
    if (this.#syncFailure !== undefined) throw this.#syncFailure;
    try {
      const [data, entry] = await Promise.allSettled([this.handle.datasync(), this.#entrySynced()]);
      if (data.status === "rejected") throw data.reason;
      if (entry.status === "rejected") throw entry.reason;
    } catch (error) {
      this.#syncFailure = toSystemFsError(error, "Cannot sync a staged file");
      throw this.#syncFailure;
    }
  }

  async #run<Result>(action: string, call: () => Promise<Result>): Promise<Result> {
    try {
      return await call();
    } catch (error) {
      throw toSystemFsError(error, `Cannot ${action} a staged file`);
    }
  }
}

/** One use of an open file; calls after release() reject with EBADF. */
class StagedFileUse implements StagedFile {
  readonly id: string;
  readonly fd: number;
  #file: OpenStagedFile | undefined;

  constructor(file: OpenStagedFile) {
    this.id = file.id;
    this.fd = file.handle.fd;
    this.#file = file;
  }

  stat(): { size: number; mtimeNs: bigint; blocks: number } {
    return this.#open().stat();
  }

  async read(offset: number, length: number): Promise<Uint8Array> {
    return this.#open().read(offset, length);
  }

  async write(offset: number, data: Uint8Array): Promise<void> {
    await this.#open().write(offset, data);
  }

  async truncate(size: number): Promise<void> {
    await this.#open().truncate(size);
  }

  async allocate(mode: number, offset: number, length: number): Promise<void> {
    await this.#open().allocate(mode, offset, length);
  }

  async seek(offset: number, whence: number): Promise<number> {
    return this.#open().seek(offset, whence);
  }

  async sync(): Promise<void> {
    await this.#open().sync();
  }

  release(): void {
    const file = this.#file;
    this.#file = undefined;
    file?.unuse();
  }

  #open(): OpenStagedFile {
    if (this.#file === undefined)
      throw new FsError("EBADF", "Cannot use a staged file after release");
    return this.#file;
  }
}

/** For reading and writing; for reading where the disk has become read-only, as disks do when they fail. */
export async function openStaged(path: string): Promise<FileHandle> {
  try {
    return await open(path, "r+");
  } catch (error) {
    if (errnoOf(error) !== Errno.EROFS) throw error;
    return open(path, "r");
  }
}
