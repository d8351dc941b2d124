// Extended attributes. The kernel asks for security.capability before writes and for ACLs on listings; neither exists.
import { Errno, FsError } from "../../posix/errno.ts";
import { andThen } from "../operation.ts";
import { Opcode } from "./abi.ts";
import { byPath } from "./by-path.ts";
import { decodedName } from "./names.ts";
import { type Operation, operation } from "./operation-row.ts";
import { DONE, type Reply } from "./reply.ts";

const NOT_SUPPORTED: Reply = { kind: "error", errno: Errno.EOPNOTSUPP };

// Answered without the core, since they come with each write. ENOSYS would make the kernel stop asking for any name;
// after ENODATA `ls -l` asks for security.selinux of each file, after EOPNOTSUPP no more on this mount.
function reserved(name: string): Reply | undefined {
  const isOfKernel = name.startsWith("security.") || name.startsWith("system.posix_acl_");
  return isOfKernel ? NOT_SUPPORTED : undefined;
}

/** The value, or its size when that is what was asked for (size 0); ERANGE when it does not fit. */
function sized(value: Uint8Array, size: number): Reply {
  if (size === 0) return { kind: "size", size: value.length };
  if (value.length > size) throw new FsError("ERANGE", "Cannot return an attribute that long");
  return { kind: "bytes", chunks: [value] };
}

/** GETXATTR, SETXATTR, LISTXATTR, REMOVEXATTR. */
export const xattrOperations: readonly Operation[] = [
  operation({
    opcode: Opcode.GETXATTR,
    name: "GETXATTR",
    parse(body) {
      const size = body.u32();
      body.skip(4);
      return { size, name: body.name() };
    },
    handle(adapter, request, argument) {
      const name = decodedName(argument.name);
      const refused = reserved(name);
      if (refused) return refused;
      return andThen(
        byPath(adapter, adapter.nodes.get(request.nodeid), undefined, (path) =>
          adapter.fileSystem.getxattr(path, name, request),
        ),
        (value) => sized(value, argument.size),
      );
    },
  }),
  operation({
    opcode: Opcode.SETXATTR,
    name: "SETXATTR",
    parse(body) {
      const size = body.u32();
      const flags = body.u32();
      const name = body.name();
      // copied: at most 64 KiB, and the request's buffer is used again
      return { flags, name, value: Buffer.from(body.bytes(size)) };
    },
    handle(adapter, request, argument) {
      const name = decodedName(argument.name);
      const refused = reserved(name);
      if (refused) return refused;
      return andThen(
        byPath(adapter, adapter.nodes.get(request.nodeid), undefined, (path) =>
          adapter.fileSystem.setxattr(path, name, argument.value, argument.flags, request),
        ),
        () => DONE,
      );
    },
  }),
  operation({
    opcode: Opcode.LISTXATTR,
    name: "LISTXATTR",
    parse: (body) => ({ size: body.u32() }),
    handle: (adapter, request, { size }) =>
      andThen(
        byPath(adapter, adapter.nodes.get(request.nodeid), undefined, (path) =>
          adapter.fileSystem.listxattr(path, request),
        ),
        (names) => sized(Buffer.from(names.map((name) => `${name}\0`).join("")), size),
      ),
  }),
  operation({
    opcode: Opcode.REMOVEXATTR,
    name: "REMOVEXATTR",
    parse: (body) => ({ name: body.name() }),
    handle(adapter, request, argument) {
      const name = decodedName(argument.name);
      const refused = reserved(name);
      if (refused) return refused;
      return andThen(
        byPath(adapter, adapter.nodes.get(request.nodeid), undefined, (path) =>
          adapter.fileSystem.removexattr(path, name, request),
        ),
        () => DONE,
      );
    },
  }),
];
