import type { FileHandle, MaybePromise } from "../../fs/file-system.ts";
import { Errno, FsError } from "../../posix/errno.ts";
import { O_CREAT, O_EXCL, O_RDWR, parseOpenFlags } from "../../posix/open-flags.ts";
import { S_ISGID, S_ISUID } from "../../posix/stat.ts";
import { andThen } from "../operation.ts";
import type { NativeAdapter } from "./adapter.ts";
import { type Answer, DONE, type Operation, operation } from "./operation.ts";
import { existing, fresh } from "./paths.ts";
import { joinDouble } from "./stat-words.ts";

function opened(
  adapter: NativeAdapter,
  path: string,
  handle: FileHandle,
  writable: boolean,
): Answer {
  return { result: 0, filled: [adapter.files.add({ path, handle, writable })] };
}

// The kernel has just heard that the name is absent. If it is there now, O_TRUNC and O_APPEND matter, of which this
// handler is not told: ESTALE makes the kernel look the name up again and open what it finds (fs/namei.c).
function create(adapter: NativeAdapter, path: string, mode: number): MaybePromise<Answer> {
  const flags = O_CREAT | O_EXCL | O_RDWR;
  const again = (error: unknown): never => {
    if (error instanceof FsError && error.errno === Errno.EEXIST) {
      throw new FsError("ESTALE", "Cannot create what somebody else has just made");
    }
    throw error;
  };
  let handle: MaybePromise<FileHandle>;
  try {
    handle = adapter.fileSystem.create(fresh(path), flags, mode & 0o7777, adapter.context);
  } catch (error) {
    return again(error);
  }
  const made = handle instanceof Promise ? handle.catch(again) : handle;
  return andThen(made, (file) => opened(adapter, path, file, true));
}

/** Copies the chunks into `buffer`; returns the bytes copied. */
function fill(buffer: Buffer, chunks: readonly Uint8Array[]): number {
  let at = 0;
  for (const chunk of chunks) {
    const part = chunk.subarray(0, buffer.length - at);
    buffer.set(part, at);
    at += part.length;
  }
  return at;
}

function offsetOf(low: number, high: number, length: number): number {
  const offset = joinDouble(low, high);
  if (offset + length > Number.MAX_SAFE_INTEGER) {
    throw new FsError("EFBIG", "Cannot go that far into a file");
  }
  return offset;
}

/** path, fh, the lent memory, its length, the offset's halves. */
type Transfer = [string, number, Buffer, number, number, number];

function write(adapter: NativeAdapter, ...transfer: Transfer): MaybePromise<Answer> {
  const [, fh, buffer, length, low, high] = transfer;
  const handle = adapter.files.get(fh);
  const offset = offsetOf(low, high, length);
  // with direct_io the kernel leaves it to us, and does not say here whether the writer may keep the bits
  const isSetId = (handle.entry().stat.mode & (S_ISUID | S_ISGID)) !== 0;
  const ready = isSetId ? handle.setattr({ killPrivileges: true }, adapter.context) : undefined;
  return andThen(ready, () =>
    andThen(handle.write(offset, buffer, adapter.context), (result) => ({ result })),
  );
}

const giveBack = (_path: string, _fh: number, buffer: Buffer): readonly unknown[] => [
  0,
  buffer.buffer,
];

/** Opening, reading, writing and closing files. */
export const fileOperations: readonly Operation[] = [
  operation<[string, number]>({
    name: "open",
    handle: (adapter, path, flags) =>
      andThen(adapter.fileSystem.open(existing(path), flags, adapter.context), (handle) =>
        opened(adapter, path, handle, parseOpenFlags(flags).writable),
      ),
  }),
  operation({ name: "create", handle: create }),
  operation<Transfer>({
    name: "read",
    handle: (adapter, _path, fh, buffer, length, low, high) =>
      andThen(
        adapter.files.get(fh).read(offsetOf(low, high, length), length, adapter.context),
        (chunks) => ({ result: fill(buffer, chunks) }),
      ),
    giveBack,
  }),
  operation<Transfer>({
    name: "write",
    handle: write,
    giveBack,
  }),
  operation<[string, number]>({
    name: "flush",
    handle: (adapter, _path, fh) =>
      andThen(adapter.files.get(fh).flush(adapter.context), () => DONE),
  }),
  operation<[string, number, number]>({
    name: "fsync",
    handle: (adapter, _path, dataOnly, fh) =>
      andThen(adapter.files.get(fh).fsync(dataOnly !== 0, adapter.context), () => DONE),
  }),
  operation<[string, number]>({
    name: "release",
    handle(adapter, _path, fh) {
      adapter.files.remove(fh);
      return DONE;
    },
  }),
];
