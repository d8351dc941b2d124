// Extended attributes. The package's own handlers read beyond their memory when a value is longer than the caller's buffer.
import { FsError } from "../../posix/errno.ts";
import { andThen } from "../operation.ts";
import { type Answer, DONE, type Operation, operation } from "./operation.ts";
import { existing, isDoubtful } from "./paths.ts";

/** The name of an attribute that there may be; EOPNOTSUPP makes `ls -l` ask once per mount for those that there are not. */
function attribute(name: string): string {
  if (name.startsWith("security.") || name.startsWith("system.posix_acl_")) {
    throw new FsError("EOPNOTSUPP", `Cannot use attribute ${name}`);
  }
  return name;
}

/** Copies the value, or tells its size to a caller without a buffer; ERANGE when it does not fit. */
function sized(value: Uint8Array, buffer: Buffer): Answer {
  if (buffer.length === 0) return { result: value.length };
  if (value.length > buffer.length) {
    throw new FsError("ERANGE", "Cannot return an attribute that long");
  }
  buffer.set(value);
  return { result: value.length };
}

/** Extended attributes. */
export const xattrOperations: readonly Operation[] = [
  operation<[string, string, Buffer]>({
    name: "getxattr",
    handle(adapter, path, name, buffer) {
      const asked = attribute(name);
      if (isDoubtful(asked)) throw new FsError("ENODATA", "Cannot find that attribute");
      return andThen(adapter.fileSystem.getxattr(existing(path), asked, adapter.context), (value) =>
        sized(value, buffer),
      );
    },
    giveBack: (_path, _name, buffer) => [buffer.buffer],
  }),
  operation<[string, string, Buffer, number, number]>({
    name: "setxattr",
    handle(adapter, path, name, value, _position, flags) {
      const asked = attribute(name);
      if (isDoubtful(asked)) throw new FsError("EILSEQ", "Cannot use a name that is not UTF-8");
      // copied: the memory is libfuse's, and the core keeps the value
      const kept = Buffer.from(value);
      return andThen(
        adapter.fileSystem.setxattr(existing(path), asked, kept, flags, adapter.context),
        () => DONE,
      );
    },
    giveBack: (_path, _name, value) => [value.buffer],
  }),
  operation<[string, Buffer]>({
    name: "listxattr",
    handle: (adapter, path, buffer) =>
      andThen(adapter.fileSystem.listxattr(existing(path), adapter.context), (names) =>
        sized(Buffer.from(names.map((name) => `${name}\0`).join("")), buffer),
      ),
    giveBack: (_path, buffer) => [buffer.buffer],
  }),
  operation<[string, string]>({
    name: "removexattr",
    handle: (adapter, path, name) =>
      andThen(
        adapter.fileSystem.removexattr(existing(path), attribute(name), adapter.context),
        () => DONE,
      ),
  }),
];
