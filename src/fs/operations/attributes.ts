// setattr(2)-like calls and extended attributes.
import { FsError } from "../../posix/errno.ts";
import { FileType, isDirectory, nowNs } from "../../posix/stat.ts";
import type { NamespaceEntry } from "../../state/namespace-entry.ts";
import { applyChanges } from "../namespace/attribute-changes.ts";
import type { CoreOptions } from "../core-options.ts";
import type { EntryKeeper } from "../namespace/keep-entry.ts";
import {
  type AttributeChanges,
  type CallContext,
  type Entry,
  XATTR_CREATE,
  XATTR_REPLACE,
} from "../file-system.ts";
import type { Files } from "./files.ts";
import type { Lookup } from "../listing/lookup.ts";
import type { Located, Namespace } from "../namespace/namespace.ts";
import { fitsMetadata } from "../metadata/posix-metadata.ts";
import type { Sessions } from "../writing/sessions.ts";

/** XATTR_SIZE_MAX of Linux. */
const VALUE_MAX = 65_536;

export interface AttributesParts {
  readonly namespace: Namespace;
  readonly lookup: Lookup;
  readonly sessions: Sessions;
  readonly files: Files;
  readonly keeper: EntryKeeper;
  readonly options: CoreOptions;
  readonly show: (entry: NamespaceEntry) => Entry;
}

export class Attributes {
  readonly #parts: AttributesParts;

  constructor(parts: AttributesParts) {
    this.#parts = parts;
  }

  async setattr(path: string, changes: AttributeChanges, context: CallContext): Promise<Entry> {
    const { lookup, options, show, sessions, namespace, keeper } = this.#parts;
    if (options.readOnly) throw new FsError("EROFS", "Cannot change attributes: mounted read-only");
    let located = await lookup.existing(path, context.signal);
    if (changes.size !== undefined) {
      await this.#truncate(located, changes, context);
      located = namespace.known(path) ?? located;
      const { size: _size, killPrivileges: _kill, ...rest } = changes;
      if (Object.keys(rest).length === 0) return show(located.entry);
    }
    sessions.visible(located.entry.ino)?.setattr(changes);
    const entry = applyChanges(located.entry, changes);
    await keeper.keep(located, entry);
    return show(entry);
  }

  async getxattr(path: string, name: string, context: CallContext): Promise<Uint8Array> {
    checkNamespace(name);
    const { entry } = await this.#parts.lookup.existing(path, context.signal);
    const value =
      entry.xattrs && Object.hasOwn(entry.xattrs, name) ? entry.xattrs[name] : undefined;
    if (!value) throw new FsError("ENODATA", `Cannot read "${name}" of "${path}": not set`);
    return value;
  }

  async listxattr(path: string, context: CallContext): Promise<readonly string[]> {
    const { entry } = await this.#parts.lookup.existing(path, context.signal);
    return Object.keys(entry.xattrs ?? {});
  }

  async setxattr(
    path: string,
    name: string,
    value: Uint8Array,
    flags: number,
    context: CallContext,
  ): Promise<void> {
    checkNamespace(name);
    if (value.length > VALUE_MAX) throw new FsError("E2BIG", `Cannot set "${name}": over 64 KiB`);
    // the value is borrowed from the caller
    const own = Uint8Array.from(value);
    await this.#changeXattrs(path, context, (xattrs) => {
      const isThere = Object.hasOwn(xattrs, name);
      if (isThere && (flags & XATTR_CREATE) !== 0) {
        throw new FsError("EEXIST", `Cannot create "${name}" of "${path}": it exists`);
      }
      if (!isThere && (flags & XATTR_REPLACE) !== 0) {
        throw new FsError("ENODATA", `Cannot replace "${name}" of "${path}": not set`);
      }
      return { ...xattrs, [name]: own };
    });
  }

  async removexattr(path: string, name: string, context: CallContext): Promise<void> {
    checkNamespace(name);
    await this.#changeXattrs(path, context, (xattrs) => {
      if (!Object.hasOwn(xattrs, name)) {
        throw new FsError("ENODATA", `Cannot remove "${name}" of "${path}": not set`);
      }
      const { [name]: _removed, ...rest } = xattrs;
      return rest;
    });
  }

  async #changeXattrs(
    path: string,
    context: CallContext,
    change: (xattrs: Readonly<Record<string, Uint8Array>>) => Readonly<Record<string, Uint8Array>>,
  ): Promise<void> {
    const { lookup, sessions, options, keeper } = this.#parts;
    if (options.readOnly) throw new FsError("EROFS", "Cannot change attributes: mounted read-only");
    const located = await lookup.existing(path, context.signal);
    const xattrs = change(located.entry.xattrs ?? {});
    const entry = { ...located.entry, xattrs, ctime: nowNs(), attributed: true };
    // what no longer goes with the object would be lost with this host
    const isTooMuch = options.metadata === "object" && !fitsMetadata(entry);
    if (isTooMuch && fitsMetadata(located.entry)) {
      throw new FsError(
        "ENOSPC",
        `Cannot set an attribute of "${path}": objects have room for 2 KB`,
      );
    }
    sessions.visible(entry.ino)?.rebase(entry);
    await keeper.keep(located, entry);
  }

  async #truncate(
    located: Located,
    changes: AttributeChanges,
    context: CallContext,
  ): Promise<void> {
    const { entry, path } = located;
    if (isDirectory(entry)) throw new FsError("EISDIR", `Cannot truncate "${path}"`);
    if ((entry.mode & FileType.mask) !== FileType.file) {
      throw new FsError("EINVAL", `Cannot truncate "${path}": not a regular file`);
    }
    const { size, killPrivileges } = changes;
    const handle = await this.#parts.files.openForTruncate(located);
    try {
      await handle.setattr(
        { ...(size === undefined ? {} : { size }), ...(killPrivileges ? { killPrivileges } : {}) },
        context,
      );
      await handle.flush();
    } finally {
      handle.release();
    }
  }
}

/** Only user.* (and root's trusted.*) are kept; other namespaces mean something to the kernel. */
function checkNamespace(name: string): void {
  if (name.startsWith("user.") || name.startsWith("trusted.")) return;
  throw new FsError("EOPNOTSUPP", `Cannot use the extended attribute "${name}": user.* only`);
}
