// Operations on open files.
import type { MaybePromise } from "../../fs/file-system.ts";
import { FsError } from "../../posix/errno.ts";
import { andThen } from "../operation.ts";
import { FUSE_FSYNC_FDATASYNC, FUSE_WRITE_KILL_SUIDGID, Opcode } from "./abi.ts";
import type { Adapter } from "./adapter.ts";
import { type Operation, operation } from "./operation-row.ts";
import { DONE, type Reply } from "./reply.ts";
import type { Request } from "./request.ts";

interface Write {
  readonly fh: number;
  readonly offset: number;
  readonly writeFlags: number;
  readonly data: Uint8Array;
}

function write(adapter: Adapter, request: Request, argument: Write): MaybePromise<Reply> {
  const { fh, offset, writeFlags, data } = argument;
  const { handle, node } = adapter.files.get(fh);
  if (offset + data.length > Number.MAX_SAFE_INTEGER) {
    throw new FsError("EFBIG", "Cannot write that far into a file");
  }
  for (const directory of node.parent?.directories ?? []) directory.touched.add(node.name);
  const written =
    (writeFlags & FUSE_WRITE_KILL_SUIDGID) === 0
      ? handle.write(offset, data, request)
      : andThen(handle.setattr({ killPrivileges: true }, request), () =>
          handle.write(offset, data, request),
        );
  return andThen(written, (size) => ({ kind: "size", size }));
}

/** The chunks cut to `length` bytes: a longer reply is EIO to the caller (fuse_dev_do_write). */
function limit(chunks: readonly Uint8Array[], length: number): readonly Uint8Array[] {
  let rest = length;
  const kept: Uint8Array[] = [];
  for (const chunk of chunks) {
    if (rest === 0) break;
    kept.push(chunk.length <= rest ? chunk : chunk.subarray(0, rest));
    rest -= Math.min(rest, chunk.length);
  }
  return kept;
}

/** READ, WRITE, FLUSH, FSYNC, FALLOCATE, LSEEK, IOCTL. */
export const fileOperations: readonly Operation[] = [
  operation({
    opcode: Opcode.READ,
    name: "READ",
    parse: (body) => ({ fh: body.u64(), offset: body.u64(), size: body.u32() }),
    handle(adapter, request, { fh, offset, size }) {
      const { handle } = adapter.files.get(fh);
      const read = adapter.failedReads.run(handle, offset, () =>
        handle.read(offset, size, request),
      );
      return andThen(read, (chunks) => ({
        kind: "bytes",
        chunks: limit(chunks, size),
      }));
    },
  }),
  operation({
    opcode: Opcode.WRITE,
    name: "WRITE",
    borrows: true,
    parse(body): Write {
      const fh = body.u64();
      const offset = body.u64();
      const size = body.u32();
      const writeFlags = body.u32();
      body.skip(16); // lock_owner, flags, padding
      return { fh, offset, writeFlags, data: body.bytes(size) };
    },
    handle: write,
  }),
  operation({
    opcode: Opcode.FLUSH,
    name: "FLUSH",
    parse: (body) => ({ fh: body.u64() }),
    handle: (adapter, request, { fh }) =>
      andThen(adapter.files.get(fh).handle.flush(request), () => DONE),
  }),
  operation({
    opcode: Opcode.FSYNC,
    name: "FSYNC",
    parse: (body) => ({
      fh: body.u64(),
      dataOnly: (body.u32() & FUSE_FSYNC_FDATASYNC) !== 0,
    }),
    handle: (adapter, request, { fh, dataOnly }) =>
      andThen(adapter.files.get(fh).handle.fsync(dataOnly, request), () => DONE),
  }),
  operation({
    opcode: Opcode.FALLOCATE,
    name: "FALLOCATE",
    parse: (body) => ({
      fh: body.u64(),
      offset: body.u64(),
      length: body.u64(),
      mode: body.u32(),
    }),
    handle(adapter, request, { fh, offset, length, mode }) {
      if (offset + length > Number.MAX_SAFE_INTEGER) {
        throw new FsError("EFBIG", "Cannot reserve room that far into a file");
      }
      const { handle } = adapter.files.get(fh);
      return andThen(handle.fallocate(mode, offset, length, request), () => DONE);
    },
  }),
  operation({
    opcode: Opcode.LSEEK,
    name: "LSEEK",
    parse: (body) => ({ fh: body.u64(), offset: body.u64(), whence: body.u32() }),
    handle(adapter, request, { fh, offset, whence }) {
      const { handle } = adapter.files.get(fh);
      return andThen(handle.lseek(offset, whence, request), (found) => ({
        kind: "offset",
        offset: found,
      }));
    },
  }),
  operation({
    opcode: Opcode.IOCTL,
    name: "IOCTL",
    parse: () => ({}),
    handle() {
      // isatty(3) asks; ENOSYS would be taken for a missing system call
      throw new FsError("ENOTTY", "Cannot control a file");
    },
  }),
];
