import type { AttributeChanges, Entry, FileHandle, MaybePromise } from "../../fs/file-system.ts";
import { Errno, FsError } from "../../posix/errno.ts";
import type { Nanoseconds } from "../../posix/stat.ts";
import { andThen } from "../operation.ts";
import { Opcode, SetattrValid } from "./abi.ts";
import type { Adapter } from "./adapter.ts";
import { byPath } from "./by-path.ts";
import type { ByteReader } from "./byte-reader.ts";
import type { Node, OpenFile } from "./node.ts";
import { type Operation, operation } from "./operation-row.ts";
import { type Reply, STALE } from "./reply.ts";
import type { Request } from "./request.ts";

const GETATTR_FH = 1;

/** Any handle of the node's object, preferably one that writes: it knows the size best. */
function handleOf(adapter: Adapter, node: Node): FileHandle | undefined {
  let found: OpenFile | undefined;
  for (const file of node.files) if (found === undefined || file.writable) found = file;
  // between LOOKUP and OPEN of a node that an open was sent to, the kernel asks for its attributes
  return found?.handle ?? adapter.stashes.handleFor(node);
}

/** The attributes of the node's object, not of whatever has its name now. */
function attrOf(adapter: Adapter, node: Node, entry: Entry): Reply {
  if (node === adapter.nodes.root || node.is(entry.stat)) return { kind: "attr", entry };
  const handle = handleOf(adapter, node);
  return handle === undefined ? STALE : { kind: "attr", entry: handle.entry() };
}

/**
 * Asks by path, and by handle where the path says nothing about the node: detached, or gone behind the kernel's back.
 * The kernel sends no fh for fstat(2) and fchmod(2), also when the name is gone (fuse_update_get_attr).
 */
function ask(
  adapter: Adapter,
  node: Node,
  byName: (path: string) => MaybePromise<Entry>,
  byHandle: (handle: FileHandle) => MaybePromise<Entry>,
): MaybePromise<Reply> {
  const fromHandle = (handle: FileHandle): MaybePromise<Reply> =>
    andThen(byHandle(handle), (entry) => ({ kind: "attr", entry }));
  const orHandle = (error: unknown): MaybePromise<Reply> => {
    const handle = handleOf(adapter, node);
    const isGone = error instanceof FsError && error.errno === Errno.ENOENT;
    if (handle === undefined || !isGone) throw error;
    return fromHandle(handle);
  };
  const own = node.attached ? undefined : handleOf(adapter, node);
  if (own !== undefined) return fromHandle(own);
  let found: MaybePromise<Reply>;
  try {
    found = andThen(byPath(adapter, node, undefined, byName), (entry) =>
      attrOf(adapter, node, entry),
    );
  } catch (error) {
    return orHandle(error);
  }
  return found instanceof Promise ? found.catch(orHandle) : found;
}

function getattr(
  adapter: Adapter,
  request: Request,
  argument: { readonly fh: number | undefined },
): MaybePromise<Reply> {
  if (argument.fh !== undefined) {
    return { kind: "attr", entry: adapter.files.get(argument.fh).handle.entry() };
  }
  return ask(
    adapter,
    adapter.nodes.get(request.nodeid),
    (path) => adapter.fileSystem.getattr(path, request),
    (handle) => handle.entry(),
  );
}

interface Setattr {
  readonly fh: number | undefined;
  readonly changes: AttributeChanges;
}

function setattr(
  adapter: Adapter,
  request: Request,
  { fh, changes }: Setattr,
): MaybePromise<Reply> {
  const node = adapter.nodes.get(request.nodeid);
  if ((changes.size ?? 0) > Number.MAX_SAFE_INTEGER) {
    throw new FsError("EFBIG", "Cannot make a file that large");
  }
  for (const directory of node.parent?.directories ?? []) directory.touched.add(node.name);
  if (fh !== undefined) {
    const { handle } = adapter.files.get(fh);
    return andThen(handle.setattr(changes, request), (entry) => ({ kind: "attr", entry }));
  }
  return ask(
    adapter,
    node,
    (path) => adapter.fileSystem.setattr(path, changes, request),
    (handle) => handle.setattr(changes, request),
  );
}

function parseSetattr(body: ByteReader): Setattr {
  const valid = body.u32();
  body.skip(4);
  const fh = body.u64();
  const size = body.u64();
  body.skip(8); // lock_owner
  const seconds = [body.i64(), body.i64(), body.i64()] as const;
  const nanoseconds = [body.u32(), body.u32(), body.u32()] as const;
  const mode = body.u32();
  body.skip(4);
  const uid = body.u32();
  const gid = body.u32();
  const has = (bit: number): boolean => (valid & bit) !== 0;
  const time = (which: 0 | 1, now: number): Nanoseconds | "now" =>
    has(now) ? "now" : seconds[which] * 1_000_000_000n + BigInt(nanoseconds[which]);
  return {
    fh: has(SetattrValid.FH) ? fh : undefined,
    changes: {
      ...(has(SetattrValid.MODE) && { mode: mode & 0o7777 }),
      ...(has(SetattrValid.UID) && { uid }),
      ...(has(SetattrValid.GID) && { gid }),
      ...(has(SetattrValid.SIZE) && { size }),
      ...(has(SetattrValid.ATIME) && { atime: time(0, SetattrValid.ATIME_NOW) }),
      ...(has(SetattrValid.MTIME) && { mtime: time(1, SetattrValid.MTIME_NOW) }),
      // HANDLE_KILLPRIV_V2: truncation says so by its bit, chown always means it (fuse.h)
      ...(has(SetattrValid.KILL_SUIDGID | SetattrValid.UID | SetattrValid.GID) && {
        killPrivileges: true,
      }),
    },
  };
}

/** GETATTR, SETATTR, READLINK, STATFS. */
export const attributeOperations: readonly Operation[] = [
  operation({
    opcode: Opcode.GETATTR,
    name: "GETATTR",
    parse(body) {
      const flags = body.u32();
      body.skip(4);
      const fh = body.u64();
      return { fh: (flags & GETATTR_FH) === 0 ? undefined : fh };
    },
    handle: getattr,
  }),
  operation({
    opcode: Opcode.SETATTR,
    name: "SETATTR",
    parse: parseSetattr,
    handle: setattr,
  }),
  operation({
    opcode: Opcode.READLINK,
    name: "READLINK",
    parse: () => ({}),
    handle: (adapter, request) =>
      andThen(
        byPath(adapter, adapter.nodes.get(request.nodeid), undefined, (path) =>
          adapter.fileSystem.readlink(path, request),
        ),
        (target) => ({ kind: "bytes", chunks: [Buffer.from(target)] }),
      ),
  }),
  operation({
    opcode: Opcode.STATFS,
    name: "STATFS",
    parse: () => ({}),
    handle: (adapter, request) =>
      andThen(adapter.fileSystem.statfs(request), (statfs) => ({ kind: "statfs", statfs })),
  }),
];
