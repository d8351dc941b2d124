// Extended attributes. The kernel asks for security.capability before writes and for ACLs on listings; neither exists.
import { Errno, FsError } from "../../posix/errno.ts";
import { andThen } from "../operation.ts";
import { Opcode } from "./abi.ts";
import { byPath } from "./by-path.ts";
import { decodedName } from "./names.ts";
import { type Operation, operation } from "./operation-row.ts";
import { DONE, type Reply } from "./reply.ts";

const NO_DATA: Reply = { kind: "error", errno: Errno.ENODATA };
const NOT_SUPPORTED: Reply = { kind: "error", errno: Errno.EOPNOTSUPP };

// ENOSYS would make the kernel stop asking for any name, so each of these gets its own answer (`ls -l` asks once a file)
function reserved(name: string, whenAbsent: Reply): Reply | undefined {
  if (name.startsWith("system.posix_acl_")) return NOT_SUPPORTED;
  return name.startsWith("security.") ? whenAbsent : undefined;
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
      const refused = reserved(name, NO_DATA);
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
      const refused = reserved(name, NOT_SUPPORTED);
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
      const refused = reserved(name, NO_DATA);
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
