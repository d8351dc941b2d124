// Listing. Cookies: 0 is the start, 1 is after ".", 2 after "..", n + 2 after the core's nth entry.
import type { DirectoryEntry, MaybePromise } from "../../fs/file-system.ts";
import { FileType } from "../../posix/stat.ts";
import { andThen } from "../operation.ts";
import { FUSE_FSYNC_FDATASYNC, Opcode } from "./abi.ts";
import type { Adapter } from "./adapter.ts";
import { byPath } from "./by-path.ts";
import { DirectoryStream } from "./directory-stream.ts";
import { DirentWriter } from "./dirent-writer.ts";
import { type Operation, operation } from "./operation-row.ts";
import { DONE, type Reply } from "./reply.ts";
import type { Request } from "./request.ts";

const DOTS = 2;

interface Readdir {
  readonly fh: number;
  readonly offset: number;
  readonly size: number;
}

function readdir(
  adapter: Adapter,
  request: Request,
  { fh, offset, size }: Readdir,
  plus: boolean,
): MaybePromise<Reply> {
  const stream = adapter.directories.get(fh);
  const listing =
    offset === 0 && stream.started
      ? andThen(
          byPath(adapter, stream.node, undefined, (path) =>
            adapter.fileSystem.opendir(path, request),
          ),
          (handle) => stream.restart(handle),
        )
      : undefined;
  return andThen(listing, () => {
    stream.started = true;
    const from = Math.max(0, offset - DOTS);
    return andThen(load(stream, from, request, plus), () => {
      const writer = new DirentWriter(size, plus);
      writeDots(stream, offset, writer);
      for (let at = from; ; at++) {
        const entry = stream.batch[at - stream.batchOffset];
        if (entry === undefined) break;
        if (!writeEntry(adapter, stream, writer, entry, at + 1 + DOTS)) break;
      }
      return { kind: "bytes", chunks: [writer.bytes()] };
    });
  });
}

/** Sees to it that the batch holds the entry at `from`, if there is one. */
function load(
  stream: DirectoryStream,
  from: number,
  request: Request,
  plus: boolean,
): MaybePromise<void> {
  const at = from - stream.batchOffset;
  if (at >= 0 && at < stream.batch.length && (stream.batchPlus || !plus)) return undefined;
  return andThen(stream.handle.read(from, request, plus), (batch) => {
    stream.batch = batch;
    stream.batchPlus = plus;
    stream.batchOffset = from;
  });
}

function writeDots(stream: DirectoryStream, offset: number, writer: DirentWriter): void {
  const { node } = stream;
  // nodeid 0 in READDIRPLUS: no reference is taken for them
  if (offset < 1) writer.add(".", node.ino, FileType.directory, 1);
  if (offset < 2) writer.add("..", (node.parent ?? node).ino, FileType.directory, 2);
}

function writeEntry(
  adapter: Adapter,
  stream: DirectoryStream,
  writer: DirentWriter,
  entry: DirectoryEntry,
  cookie: number,
): boolean {
  const { name, stat } = entry;
  if (!writer.plus) return writer.add(name, stat.ino, stat.mode, cookie);
  if (!writer.fits(name)) return false;
  const current = stream.node.children.get(name);
  const mayBeOld =
    stream.touched.has(name) ||
    current?.isWrittenTo === true ||
    adapter.nodes.isContested(stream.node, name);
  // without a type the name is gone, or its object was not asked: an inode must not be made before
  if (mayBeOld || stat.mode === 0 || !stream.node.attached)
    return writer.add(name, stat.ino, stat.mode, cookie);
  const node = adapter.nodes.bind(stream.node, name, stat);
  node.nlookup++;
  return writer.add(name, stat.ino, stat.mode, cookie, { nodeid: node.nodeid, entry });
}

function parseReaddir(body: { u64(): number; u32(): number }): Readdir {
  return { fh: body.u64(), offset: body.u64(), size: body.u32() };
}

/** OPENDIR, READDIR, READDIRPLUS, FSYNCDIR, RELEASEDIR. */
export const directoryOperations: readonly Operation[] = [
  operation({
    opcode: Opcode.OPENDIR,
    name: "OPENDIR",
    parse: () => ({}),
    handle(adapter, request) {
      const node = adapter.nodes.get(request.nodeid);
      return andThen(
        byPath(adapter, node, undefined, (path) => adapter.fileSystem.opendir(path, request)),
        (handle) => {
          const stream = new DirectoryStream(node, handle);
          node.directories.add(stream);
          const fh = adapter.directories.add(stream);
          return { kind: "open", open: { fh, openFlags: 0, backingId: 0 } };
        },
      );
    },
  }),
  operation({
    opcode: Opcode.READDIR,
    name: "READDIR",
    parse: parseReaddir,
    handle: (adapter, request, argument) => readdir(adapter, request, argument, false),
  }),
  operation({
    opcode: Opcode.READDIRPLUS,
    name: "READDIRPLUS",
    parse: parseReaddir,
    handle: (adapter, request, argument) => readdir(adapter, request, argument, true),
  }),
  operation({
    opcode: Opcode.FSYNCDIR,
    name: "FSYNCDIR",
    parse: (body) => ({
      fh: body.u64(),
      dataOnly: (body.u32() & FUSE_FSYNC_FDATASYNC) !== 0,
    }),
    handle: (adapter, request, { fh }) =>
      andThen(adapter.directories.get(fh).handle.fsync(request), () => DONE),
  }),
  operation({
    opcode: Opcode.RELEASEDIR,
    name: "RELEASEDIR",
    parse: (body) => ({ fh: body.u64() }),
    handle(adapter, _request, { fh }) {
      const stream = adapter.directories.remove(fh);
      if (stream !== undefined) adapter.removeDirectory(stream);
      return DONE;
    },
  }),
];
