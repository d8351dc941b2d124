// OPEN, CREATE, RELEASE: which kernel inode an open file may belong to. One inode has one page cache and at most one
// backing file, so a handle with other bytes than the node's goes to another node: OPEN is answered ESTALE, the kernel
// looks the name up once more (fs/namei.c, LOOKUP_REVAL) and opens what that LOOKUP finds.
import type { FileHandle, MaybePromise } from "../../fs/file-system.ts";
import { Errno, FsError } from "../../posix/errno.ts";
import { parseOpenFlags } from "../../posix/open-flags.ts";
import { andThen } from "../operation.ts";
import { FUSE_OPEN_KILL_SUIDGID, Opcode } from "./abi.ts";
import type { Adapter } from "./adapter.ts";
import { byPath } from "./by-path.ts";
import { decodedName } from "./names.ts";
import type { Node } from "./node.ts";
import { type Operation, operation } from "./operation-row.ts";
import { DONE, type Reply, STALE } from "./reply.ts";
import type { Request } from "./request.ts";

interface Open {
  readonly flags: number;
  readonly openFlags: number;
}

function open(adapter: Adapter, request: Request, { flags, openFlags }: Open): MaybePromise<Reply> {
  const node = adapter.nodes.get(request.nodeid);
  const stashed = adapter.stashes.claim(request, node, flags);
  const opened =
    stashed ??
    byPath(adapter, node, undefined, (path) =>
      killPrivileges(adapter.fileSystem.open(path, flags, request), openFlags, request),
    );
  return andThen(opened, (handle) => settleOpen(adapter, request, node, handle, flags));
}

/**
 * The name is gone behind the kernel's back: it looks it up again, so that open(2) with O_CREAT creates instead of
 * failing for a file that is not there.
 */
function staleIfGone(node: Node, opening: () => MaybePromise<Reply>): MaybePromise<Reply> {
  const stale = (error: unknown): Reply => {
    const isGone = error instanceof FsError && error.errno === Errno.ENOENT;
    if (!isGone || !node.attached) throw error;
    return STALE;
  };
  try {
    const reply = opening();
    return reply instanceof Promise ? reply.catch(stale) : reply;
  } catch (error) {
    return stale(error);
  }
}

/** HANDLE_KILLPRIV_V2: an O_TRUNC by someone unprivileged also clears setuid and setgid. */
function killPrivileges(
  opened: MaybePromise<FileHandle>,
  openFlags: number,
  request: Request,
): MaybePromise<FileHandle> {
  if ((openFlags & FUSE_OPEN_KILL_SUIDGID) === 0) return opened;
  return andThen(opened, (handle) =>
    andThen(handle.setattr({ killPrivileges: true }, request), () => handle),
  );
}

function settleOpen(
  adapter: Adapter,
  request: Request,
  node: Node,
  handle: FileHandle,
  flags: number,
): Reply {
  const { writable } = parseOpenFlags(flags);
  const { stat } = handle.entry();
  const choice = node.is(stat) ? adapter.ioModes.choose(node, handle, writable) : undefined;
  if (choice !== undefined) {
    return { kind: "open", open: adapter.addFile(node, handle, writable, choice) };
  }
  const { parent, name } = node;
  const isSecondTry =
    parent === undefined || adapter.stashes.forLookup(request, parent, name) !== undefined;
  if (isSecondTry) {
    // the kernel retries once: now it gets the right bytes by read and write, at the price of no page cache
    if (parent !== undefined) adapter.stashes.drop(request, parent, name);
    const direct = adapter.ioModes.chooseDirect(node, writable);
    return { kind: "open", open: adapter.addFile(node, handle, writable, direct) };
  }
  const target =
    otherNode(adapter, node, parent, handle) ?? adapter.nodes.createDetached(parent, name, stat);
  adapter.stashes.add(request, target, handle, flags);
  return STALE;
}

/** A node of the same name, other than `node`, that stands for the handle's object and can take it. */
function otherNode(
  adapter: Adapter,
  node: Node,
  parent: Node,
  handle: FileHandle,
): Node | undefined {
  const { stat } = handle.entry();
  const current = parent.children.get(node.name);
  const candidates = [...(parent.former.get(node.name) ?? [])];
  if (current !== undefined) candidates.unshift(current);
  return candidates.find(
    (other) => other !== node && other.is(stat) && adapter.ioModes.fits(other, handle),
  );
}

interface Create extends Open {
  readonly mode: number;
  readonly name: string | undefined;
}

function create(adapter: Adapter, request: Request, argument: Create): MaybePromise<Reply> {
  const { flags, mode, openFlags } = argument;
  const parent = adapter.nodes.get(request.nodeid);
  const name = decodedName(argument.name);
  const created = byPath(adapter, parent, name, (path) =>
    killPrivileges(adapter.fileSystem.create(path, flags, mode, request), openFlags, request),
  );
  return andThen(created, (handle) => settleCreate(adapter, parent, name, handle, flags));
}

// ESTALE is no way here: with O_EXCL the second try would meet its own file
function settleCreate(
  adapter: Adapter,
  parent: Node,
  name: string,
  handle: FileHandle,
  flags: number,
): Reply {
  const { writable } = parseOpenFlags(flags);
  const entry = handle.entry();
  const current = parent.children.get(name);
  let node = current ?? adapter.nodes.bind(parent, name, entry.stat);
  let choice = node.is(entry.stat) ? adapter.ioModes.choose(node, handle, writable) : undefined;
  let { validMs } = entry;
  if (choice === undefined) {
    // the name was there with other bytes, which others may still see: nobody is to keep this answer
    node = adapter.nodes.createDetached(parent, name, entry.stat);
    choice =
      adapter.ioModes.choose(node, handle, writable) ??
      adapter.ioModes.chooseDirect(node, writable);
    validMs = 0;
  }
  node.nlookup++;
  return {
    kind: "create",
    nodeid: node.nodeid,
    entry: { stat: entry.stat, validMs },
    open: adapter.addFile(node, handle, writable, choice),
  };
}

/** OPEN, CREATE, RELEASE. */
export const openOperations: readonly Operation[] = [
  operation({
    opcode: Opcode.OPEN,
    name: "OPEN",
    parse: (body): Open => ({ flags: body.u32(), openFlags: body.u32() }),
    handle: (adapter, request, argument) =>
      staleIfGone(adapter.nodes.get(request.nodeid), () => open(adapter, request, argument)),
  }),
  operation({
    opcode: Opcode.CREATE,
    name: "CREATE",
    parse(body, request): Create {
      const flags = body.u32();
      const mode = body.u32();
      request.umask = body.u32();
      const openFlags = body.u32();
      return { flags, mode, openFlags, name: body.name() };
    },
    handle: create,
  }),
  operation({
    opcode: Opcode.RELEASE,
    name: "RELEASE",
    parse: (body) => ({ fh: body.u64() }),
    handle(adapter, _request, { fh }) {
      const file = adapter.files.remove(fh);
      if (file !== undefined) adapter.removeFile(file);
      return DONE;
    },
  }),
];
