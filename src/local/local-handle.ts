// open(2) of a file on the local disk.
import { type BigIntStats, fstatSync } from "node:fs";
import type { FileHandle as OpenFile } from "node:fs/promises";
import type {
  AttributeChanges,
  CallContext,
  Entry,
  FileHandle,
  MaybePromise,
} from "../fs/file-system.ts";
import { log } from "../log.ts";
import { FsError, toSystemFsError } from "../posix/errno.ts";
import { SEEK_DATA, SEEK_HOLE, type SystemCalls } from "../posix/syscalls.ts";
import { descriptorPath } from "./directory-tree.ts";
import type { DiskRoom } from "./disk-room.ts";
import { changeAttributes } from "./local-attributes.ts";
import { entryOfFile } from "./local-stat.ts";

/** What all handles share. */
export interface LocalHost {
  readonly system: SystemCalls | undefined;
  readonly room: DiskRoom;
  /** Sizes or names may have changed. */
  changed(): void;
}

/** As durable as the local disk: fsync(2) writes through, close(2) does not. */
export class LocalHandle implements FileHandle {
  /** The kernel sees each change of the file. */
  readonly keepCache = true;
  readonly #file: OpenFile;
  readonly #isWritable: boolean;
  readonly #host: LocalHost;
  #isHandedOut = false;

  /** Owns `file`. */
  constructor(file: OpenFile, isWritable: boolean, host: LocalHost) {
    this.#file = file;
    this.#isWritable = isWritable;
    this.#host = host;
  }

  entry(): Entry {
    return entryOfFile(this.#stat());
  }

  backing(): number | undefined {
    if (this.#isWritable && !this.#isHandedOut && !this.#host.room.roomy()) return undefined;
    this.#isHandedOut = true;
    return this.#file.fd;
  }

  async read(offset: number, length: number): Promise<readonly Uint8Array[]> {
    const buffer = Buffer.allocUnsafe(length);
    let filled = 0;
    while (filled < length) {
      const { bytesRead } = await this.#run("read", () =>
        this.#file.read(buffer, filled, length - filled, offset + filled),
      );
      if (bytesRead === 0) break;
      filled += bytesRead;
    }
    return filled === 0 ? [] : [buffer.subarray(0, filled)];
  }

  async write(offset: number, data: Uint8Array): Promise<number> {
    await this.#run("write", () => this.#host.room.take(data.length));
    let done = 0;
    while (done < data.length) {
      // with O_APPEND pwrite(2) of Linux takes the end, whatever the offset
      const { bytesWritten } = await this.#run("write", () =>
        this.#file.write(data, done, data.length - done, offset + done),
      );
      done += bytesWritten;
    }
    return done;
  }

  async setattr(changes: AttributeChanges, _context: CallContext): Promise<Entry> {
    const { size } = changes;
    await this.#run("change", async () => {
      if (size !== undefined) await this.#file.truncate(size);
      const object = descriptorPath(this.#file.fd);
      await changeAttributes(object, this.#stat(), changes, this.#host.system);
    });
    if (size !== undefined) this.#host.changed();
    return this.entry();
  }

  flush(): MaybePromise<void> {
    return undefined;
  }

  async fsync(dataOnly: boolean): Promise<void> {
    await this.#run("sync", () => (dataOnly ? this.#file.datasync() : this.#file.sync()));
  }

  async fallocate(mode: number, offset: number, length: number): Promise<void> {
    const { system, room } = this.#host;
    if (system === undefined) {
      throw new FsError("EOPNOTSUPP", "Cannot allocate: fallocate(2) is out of reach");
    }
    // mode 0 and KEEP_SIZE reserve blocks, PUNCH_HOLE and ZERO_RANGE do not; others have no place in a FileHandle
    if ((mode & ~(1 | 2 | 16)) !== 0) throw new FsError("EOPNOTSUPP", "Cannot allocate this way");
    if (mode <= 1) await this.#run("allocate", () => room.take(length));
    await system.fallocate(this.#file.fd, mode, offset, length);
  }

  // without lseek(2) a file is one piece of data with the hole at its end, which POSIX allows
  lseek(offset: number, whence: number): MaybePromise<number> {
    if (whence !== SEEK_DATA && whence !== SEEK_HOLE) {
      throw new FsError("EINVAL", `Cannot seek with whence ${whence}`);
    }
    const { system } = this.#host;
    if (system !== undefined) return system.lseek(this.#file.fd, offset, whence);
    const size = Number(this.#stat().size);
    if (offset >= size) throw new FsError("ENXIO", "Cannot seek behind the end");
    return whence === SEEK_DATA ? offset : size;
  }

  release(): void {
    if (this.#isWritable) this.#host.changed();
    this.#file
      .close()
      .catch((error: unknown) => log.error("Cannot close a local file: %s", String(error)));
  }

  /** An open descriptor is answered from memory: no thread is worth its hop. */
  #stat(): BigIntStats {
    return fstatSync(this.#file.fd, { bigint: true });
  }

  async #run<T>(action: string, call: () => Promise<T>): Promise<T> {
    try {
      return await call();
    } catch (error) {
      throw toSystemFsError(error, `Cannot ${action} a local file`);
    }
  }
}
