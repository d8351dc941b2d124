// What open(2) for reading has in common, wherever the bytes are.
import { FsError } from "../../posix/errno.ts";
import type { CallContext, Entry, FileHandle, MaybePromise } from "../file-system.ts";

/** What a read-only handle asks of its surroundings. */
export interface ReadOnlyHost {
  /** The file's attributes now, nlink 0 when the name is gone. */
  entry(): Entry;
  setattr: FileHandle["setattr"];
  release(): void;
}

export abstract class ReadOnlyHandle<Host extends ReadOnlyHost> implements FileHandle {
  readonly keepCache = true;
  protected readonly host: Host;

  constructor(host: Host) {
    this.host = host;
  }

  abstract backing(): number | undefined;

  abstract read(
    offset: number,
    length: number,
    context: CallContext,
  ): MaybePromise<readonly Uint8Array[]>;

  abstract lseek(offset: number, whence: number, context: CallContext): MaybePromise<number>;

  entry(): Entry {
    return this.host.entry();
  }

  write(): never {
    throw notWritable();
  }

  setattr: FileHandle["setattr"] = (changes, context) => {
    if (changes.size !== undefined) throw notWritable();
    return this.host.setattr(changes, context);
  };

  flush(): void {
    // nothing was written
  }

  fsync(): void {
    // nothing was written, and what others wrote their close made durable
  }

  fallocate(): never {
    throw notWritable();
  }

  release(): void {
    this.host.release();
  }
}

export function notWritable(): FsError {
  return new FsError("EBADF", "Cannot write to a file that was opened for reading");
}
