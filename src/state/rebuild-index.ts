// Makes the names again that exist on this host only, after index.mdb was lost.
import { FileType, nowNs } from "../posix/stat.ts";
import { splitPath } from "../posix/path.ts";
import type { Journal } from "./journal.ts";
import { ROOT_INO } from "./mount-state.ts";
import type { IndexMeta, NameIndex } from "./name-index.ts";
import type { LocalAttributes, NameChange, NamespaceEntry } from "./namespace-entry.ts";

const BATCH_NAMES = 4096;

/**
 * Fills an empty index from the journal's local attributes: directories, symlinks and special files, each with the
 * directories above it. Regular files are left unknown, since their size and ETag are in the bucket or in the queue.
 * Resolves to the index's header, which is written last: without it the index counts as missing.
 */
export async function rebuildIndex(
  journal: Journal,
  index: NameIndex,
  base: Omit<IndexMeta, "nextIno">,
  firstIno: number,
): Promise<IndexMeta> {
  const inos = new Map<string, number>([["/", ROOT_INO]]);
  let nextIno = firstIno;
  let batch: NameChange[] = [];

  const add = (path: string, attributes: LocalAttributes): void => {
    const components = splitPath(path);
    let parent = ROOT_INO;
    let at = "";
    for (const [depth, name] of components.entries()) {
      const isLast = depth === components.length - 1;
      at += `/${name}`;
      const known = inos.get(at);
      if (known !== undefined && !isLast) {
        parent = known;
        continue;
      }
      const ino = known ?? nextIno++;
      const mode = isLast ? attributes.mode : FileType.directory | 0o755;
      batch.push({ parent, name, entry: toEntry(ino, { ...attributes, mode }, isLast) });
      if ((mode & FileType.mask) === FileType.directory) inos.set(at, ino);
      parent = ino;
    }
    if (components.length === 0) {
      batch.push({ parent: 0, name: "", entry: toEntry(ROOT_INO, attributes, true) });
    }
  };

  // without a valid header until the end
  const unfinished = (): IndexMeta => ({ ...base, schema: 0, nextIno });
  for (const { path, attributes } of journal.attributesBelow("/")) {
    if ((attributes.mode & FileType.mask) !== FileType.file) add(path, attributes);
    if (batch.length >= BATCH_NAMES) {
      await index.commit(batch, unfinished());
      batch = [];
    }
  }
  const meta = { ...base, nextIno };
  await index.commit(batch, meta);
  return meta;
}

/** `own`: the attributes are those of this very name, not of one below it. */
function toEntry(ino: number, attributes: LocalAttributes, own: boolean): NamespaceEntry {
  const now = nowNs();
  const { mode, uid, gid, rdev, target, xattrs } = attributes;
  const mtime = (own ? attributes.mtime : undefined) ?? now;
  return {
    ino,
    generation: 1,
    mode,
    uid,
    gid,
    rdev: own ? (rdev ?? 0) : 0,
    size: own && target !== undefined ? Buffer.byteLength(target) : 0,
    atime: (own ? attributes.atime : undefined) ?? mtime,
    mtime,
    ctime: (own ? attributes.ctime : undefined) ?? now,
    ...(own && target !== undefined ? { target } : {}),
    ...(own && xattrs !== undefined ? { xattrs } : {}),
    local: true,
    ...(own ? { attributed: true } : {}),
    until: Infinity,
  };
}
