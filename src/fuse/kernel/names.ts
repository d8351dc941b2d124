// Operations on names in a directory. The node table changes after the core agreed and before the reply is written.
import { type Entry, type MaybePromise, RENAME_EXCHANGE } from "../../fs/file-system.ts";
import { FsError } from "../../posix/errno.ts";
import { andThen } from "../operation.ts";
import { Opcode } from "./abi.ts";
import type { Adapter } from "./adapter.ts";
import { byPath } from "./by-path.ts";
import type { ByteReader } from "./byte-reader.ts";
import type { Node } from "./node.ts";
import { type Operation, operation } from "./operation-row.ts";
import { ABSENT, DONE, type Reply } from "./reply.ts";
import type { Request } from "./request.ts";

/** The name as text; EILSEQ for bytes that are not UTF-8, as file systems with a fixed encoding say. */
export function decodedName(name: string | undefined): string {
  if (name === undefined) throw new FsError("EILSEQ", "Cannot use a name that is not UTF-8");
  return name;
}

function lookup(
  adapter: Adapter,
  request: Request,
  parent: Node,
  name: string,
  attempt: number,
): MaybePromise<Reply> {
  const stash = adapter.stashes.forLookup(request, parent, name);
  if (stash !== undefined) {
    // only the caller that was sent here may see it: nobody is to keep this answer
    return adapter.entryReply(stash.node, { stat: stash.handle.entry().stat, validMs: 0 });
  }
  const before = parent.children.get(name);
  const found = byPath(adapter, parent, name, (path) => adapter.fileSystem.lookup(path, request));
  return andThen(found, (entry) => {
    // a RENAME or UNLINK overtook us (the kernel revalidates names without the directory's lock): our answer is old
    if (parent.children.get(name) !== before && attempt < 2) {
      return lookup(adapter, request, parent, name, attempt + 1);
    }
    if (entry === undefined) {
      adapter.nodes.loseName(parent, name);
      return ABSENT;
    }
    const node = adapter.nodes.bind(parent, name, entry.stat);
    const isFinal = !adapter.nodes.isContested(parent, name);
    return adapter.entryReply(node, isFinal ? entry : { stat: entry.stat, validMs: 0 });
  });
}

/** Answers MKDIR, MKNOD and SYMLINK. */
function make(
  adapter: Adapter,
  request: Request,
  name: string | undefined,
  call: (path: string) => MaybePromise<Entry>,
): MaybePromise<Reply> {
  const parent = adapter.nodes.get(request.nodeid);
  const text = decodedName(name);
  return andThen(byPath(adapter, parent, text, call), (entry) =>
    adapter.entryReply(adapter.nodes.bind(parent, text, entry.stat), entry),
  );
}

function remove(
  adapter: Adapter,
  request: Request,
  name: string | undefined,
  call: (path: string) => MaybePromise<void>,
): MaybePromise<Reply> {
  const parent = adapter.nodes.get(request.nodeid);
  const text = decodedName(name);
  return andThen(byPath(adapter, parent, text, call), () => {
    adapter.nodes.removeName(parent, text);
    return DONE;
  });
}

interface Rename {
  readonly newdir: number;
  readonly flags: number;
  readonly oldName: string | undefined;
  readonly newName: string | undefined;
}

function rename(adapter: Adapter, request: Request, argument: Rename): MaybePromise<Reply> {
  const from = adapter.nodes.get(request.nodeid);
  const to = adapter.nodes.get(argument.newdir);
  const oldName = decodedName(argument.oldName);
  const newName = decodedName(argument.newName);
  const done = adapter.fileSystem.rename(
    adapter.nodes.childPath(from, oldName),
    adapter.nodes.childPath(to, newName),
    argument.flags,
    request,
  );
  const update = (): Reply => {
    if ((argument.flags & RENAME_EXCHANGE) !== 0) {
      adapter.nodes.exchange(from, oldName, to, newName);
    } else {
      adapter.nodes.rename(from, oldName, to, newName);
    }
    return DONE;
  };
  if (!(done instanceof Promise)) return update();
  const updated = done.then(update);
  adapter.renames.add(updated);
  return updated.finally(() => adapter.renames.delete(updated));
}

function parseRename(flags: number, newdir: number, body: ByteReader): Rename {
  return { newdir, flags, oldName: body.name(), newName: body.name() };
}

/** LOOKUP, MKDIR, MKNOD, SYMLINK, LINK, UNLINK, RMDIR, RENAME, RENAME2. */
export const nameOperations: readonly Operation[] = [
  operation({
    opcode: Opcode.LOOKUP,
    name: "LOOKUP",
    parse: (body) => ({ name: body.name() }),
    handle(adapter, request, { name }) {
      const parent = adapter.nodes.get(request.nodeid);
      return name === undefined ? ABSENT : lookup(adapter, request, parent, name, 0);
    },
  }),
  operation({
    opcode: Opcode.MKDIR,
    name: "MKDIR",
    parse(body, request) {
      const mode = body.u32();
      request.umask = body.u32();
      return { mode, name: body.name() };
    },
    handle: (adapter, request, { mode, name }) =>
      make(adapter, request, name, (path) => adapter.fileSystem.mkdir(path, mode, request)),
  }),
  operation({
    opcode: Opcode.MKNOD,
    name: "MKNOD",
    parse(body, request) {
      const mode = body.u32();
      const rdev = body.u32();
      request.umask = body.u32();
      body.skip(4);
      return { mode, rdev, name: body.name() };
    },
    handle: (adapter, request, { mode, rdev, name }) =>
      make(adapter, request, name, (path) => adapter.fileSystem.mknod(path, mode, rdev, request)),
  }),
  operation({
    opcode: Opcode.SYMLINK,
    name: "SYMLINK",
    parse: (body) => ({ name: body.name(), target: body.name() }),
    handle(adapter, request, { name, target }) {
      const text = decodedName(target);
      return make(adapter, request, name, (path) =>
        adapter.fileSystem.symlink(path, text, request),
      );
    },
  }),
  operation({
    opcode: Opcode.LINK,
    name: "LINK",
    parse(body) {
      body.skip(8);
      return { name: body.name() };
    },
    handle() {
      // one key, one name: an object cannot have two; EPERM is link(2)'s word for a file system without hard links
      throw new FsError("EPERM", "Cannot make a hard link");
    },
  }),
  operation({
    opcode: Opcode.UNLINK,
    name: "UNLINK",
    parse: (body) => ({ name: body.name() }),
    handle: (adapter, request, { name }) =>
      remove(adapter, request, name, (path) => adapter.fileSystem.unlink(path, request)),
  }),
  operation({
    opcode: Opcode.RMDIR,
    name: "RMDIR",
    parse: (body) => ({ name: body.name() }),
    handle: (adapter, request, { name }) =>
      remove(adapter, request, name, (path) => adapter.fileSystem.rmdir(path, request)),
  }),
  operation({
    opcode: Opcode.RENAME,
    name: "RENAME",
    parse: (body) => parseRename(0, body.u64(), body),
    handle: rename,
  }),
  operation({
    opcode: Opcode.RENAME2,
    name: "RENAME2",
    parse(body) {
      const newdir = body.u64();
      const flags = body.u32();
      body.skip(4);
      return parseRename(flags, newdir, body);
    },
    handle: rename,
  }),
];
