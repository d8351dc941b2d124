// open(2) for reading of one object version: pinned to its ETag, from the cache or by ranged GETs.
import { Errno, errnoOf, FsError } from "../../posix/errno.ts";
import type { Stat } from "../../posix/stat.ts";
import type { CallContext, MaybePromise } from "../file-system.ts";
import type { ObjectReader } from "./object-reader.ts";
import { ReadAhead } from "./read-ahead.ts";
import { ReadOnlyHandle, type ReadOnlyHost } from "./read-only-handle.ts";

const nothing: readonly Uint8Array[] = [];

/** What a handle on an object asks besides. */
export interface ObjectHost extends ReadOnlyHost {
  /** The object is not the version that was opened any more: what is known of the name is in doubt. */
  replaced(): void;
}

export class ObjectHandle extends ReadOnlyHandle<ObjectHost> {
  readonly #reader: ObjectReader;
  readonly #readAhead = new ReadAhead();

  constructor(reader: ObjectReader, host: ObjectHost) {
    super(host);
    this.#reader = reader;
  }

  backing(): number | undefined {
    return this.#reader.cached.backing();
  }

  read(offset: number, length: number, context: CallContext): MaybePromise<readonly Uint8Array[]> {
    const end = Math.min(offset + length, this.#reader.version.size);
    return offset >= end ? nothing : this.#read(offset, end, context);
  }

  async #read(start: number, end: number, context: CallContext): Promise<readonly Uint8Array[]> {
    const span = this.#readAhead.next(this.#reader, start, end - start);
    const { key } = this.#reader.version;
    const bytes = this.#reader.read(start, end, context.signal, span);
    return pinned(key, bytes, () => this.host.replaced());
  }

  lseek(offset: number, whence: number): number {
    return seekInFull(this.#reader.version.size, offset, whence);
  }
}

/** SEEK_DATA and SEEK_HOLE in a file without holes. */
export function seekInFull(size: number, offset: number, whence: number): number {
  if (offset >= size)
    throw new FsError("ENXIO", "Cannot seek for data or holes at the end of file");
  return whence === 3 ? offset : size;
}

/** The attributes of a file whose name is gone. */
export function unlinkedStat(stat: Stat): Stat {
  return { ...stat, nlink: 0 };
}

/** Bytes of one version: when it is gone the reader gets ESTALE, for the name may well be there. */
export async function pinned<T>(key: string, bytes: Promise<T>, replaced: () => void): Promise<T> {
  try {
    return await bytes;
  } catch (error) {
    const errno = errnoOf(error);
    if (errno !== Errno.ESTALE && errno !== Errno.ENOENT) throw error;
    replaced();
    throw new FsError("ESTALE", `Cannot read "${key}": replaced or removed`, { cause: error });
  }
}
