// renameat2(2). The new name is there at once; what the bucket owes (copy + delete per object) is queued in the same
// transaction, and until a copy is done the new name reads from the old key.
import { FsError } from "../../posix/errno.ts";
import { baseName, checkName, isBelowOrEqual, joinPath } from "../../posix/path.ts";
import { isDirectory, nowNs } from "../../posix/stat.ts";
import type { QueuePlan, Spool, StagedFile } from "../../spool/spool.ts";
import type { NameChange, NamespaceEntry } from "../../state/namespace-entry.ts";
import { writableParent, type Directories } from "./directories.ts";
import { isObject, localAttributesOf } from "../namespace/entries.ts";
import { type CallContext, RENAME_EXCHANGE, RENAME_NOREPLACE } from "../file-system.ts";
import { directoryChange } from "../namespace/keep-directory.ts";
import type { Listings } from "../listing/listings.ts";
import { markerEndings, markerKeys } from "../namespace/markers.ts";
import type { Names, NamesParts } from "./names.ts";
import type { Located } from "../namespace/namespace.ts";
import { metadataOf } from "../metadata/posix-metadata.ts";
import type { Publisher } from "../writing/publisher.ts";

export interface RenameParts extends NamesParts {
  readonly names: Names;
  readonly directories: Directories;
  readonly listings: Listings;
  readonly publisher: Publisher;
  readonly spool: Spool;
}

/** What a rename changes, collected before any of it is true. */
interface Move {
  readonly plan: QueuePlan;
  readonly changes: NameChange[];
  readonly markers: Markers;
}

/** Staged files for markers that wait for their upload, by key. */
type Markers = Map<string, StagedFile>;

export class Rename {
  readonly #parts: RenameParts;

  constructor(parts: RenameParts) {
    this.#parts = parts;
  }

  async rename(from: string, to: string, flags: number, context: CallContext): Promise<void> {
    if ((flags & ~RENAME_NOREPLACE) !== 0) {
      const what = (flags & RENAME_EXCHANGE) !== 0 ? "exchange" : "these flags";
      throw new FsError("EINVAL", `Cannot rename with ${what}: S3 has no such operation`);
    }
    checkName(baseName(to));
    const { lookup, namespace } = this.#parts;
    const source = await lookup.existing(from, context.signal);
    const target = await lookup.resolve(to, context.signal);
    if (target && (flags & RENAME_NOREPLACE) !== 0) {
      throw new FsError("EEXIST", `Cannot rename to "${to}": it exists`);
    }
    if (target?.entry.ino === source.entry.ino) return;
    if (isDirectory(source.entry) && isBelowOrEqual(to, from)) {
      throw new FsError("EINVAL", `Cannot move "${from}" below itself`);
    }
    await this.#assertReplaceable(source, target, context.signal);
    await this.#settleSource(source, context.signal);
    if (isDirectory(source.entry)) await this.#knowBelow(source);
    const markers: Markers = new Map();
    try {
      await this.#stageMarkers(source, markers);
      const now = namespace.known(from);
      if (now?.entry.ino !== source.entry.ino) {
        throw new FsError("ENOENT", `Cannot rename "${from}": it is gone`);
      }
      await this.#commit(now, namespace.known(to), to, markers);
    } finally {
      // those of which nothing became are of no use
      for (const staged of markers.values()) {
        staged.release();
        this.#parts.spool.discard(staged.id);
      }
    }
  }

  /** A marker that is in the bucket is copied; one that waits for its upload is uploaded under its new key instead. */
  async #stageMarkers(located: Located, markers: Markers): Promise<void> {
    if (!isDirectory(located.entry)) return;
    const { namespace, queue, spool, keys } = this.#parts;
    for (const key of markerKeys(keys, located.path, located.entry)) {
      if (queue.fate(key) === "put") markers.set(key, await spool.create());
    }
    const parent = located.entry.ino;
    for (const [name, entry] of namespace.children(parent)) {
      const path = joinPath(located.path, name);
      await this.#stageMarkers({ path, parent, name, entry }, markers);
    }
  }

  async #assertReplaceable(
    source: Located,
    target: Located | undefined,
    signal: AbortSignal,
  ): Promise<void> {
    if (!target) return;
    if (isDirectory(target.entry)) {
      if (!isDirectory(source.entry))
        throw new FsError("EISDIR", `Cannot replace "${target.path}"`);
      await this.#parts.directories.assertEmpty(target, signal);
    } else if (isDirectory(source.entry)) {
      throw new FsError("ENOTDIR", `Cannot replace "${target.path}" by a directory`);
    }
  }

  /** A file that was never closed is committed first, and a copy or upload that runs is let finish: then its bytes stay where they are. */
  async #settleSource(source: Located, _signal: AbortSignal): Promise<void> {
    const { namespace, sessions, publisher, queue, keys } = this.#parts;
    for (const session of sessions.of(source.entry.ino)) {
      if (namespace.isCreated(source.parent, source.name)) await publisher.commit(session);
    }
    if (source.entry.key !== undefined) await queue.idle(keys.toKey(source.path));
  }

  async #knowBelow(directory: Located): Promise<void> {
    const stack = [directory];
    for (let next = stack.pop(); next; next = stack.pop()) {
      const current = this.#parts.namespace.get(next.parent, next.name) ?? next.entry;
      const isListed = (current.local ?? false) && (current.listedUntil ?? 0) > Date.now();
      if (!isListed && !this.#parts.listings.areCovered(current.ino)) {
        await this.#parts.listings.refreshDeep(next);
        continue;
      }
      for (const [name, entry] of this.#parts.namespace.children(next.entry.ino)) {
        const path = joinPath(next.path, name);
        if (isDirectory(entry)) stack.push({ path, parent: next.entry.ino, name, entry });
      }
    }
  }

  async #commit(
    source: Located,
    target: Located | undefined,
    to: string,
    markers: Markers,
  ): Promise<void> {
    const { namespace, sessions, reads, queue, options, names } = this.#parts;
    const fromDirectory = writableParent(namespace, options, source.path);
    const toDirectory = writableParent(namespace, options, to);
    const place = { path: to, parent: toDirectory.entry.ino, name: baseName(to) };
    const plan = queue.plan();
    const changes: NameChange[] = [];
    try {
      if (target) {
        if (isDirectory(target.entry)) {
          for (const key of markerKeys(this.#parts.keys, to, target.entry)) plan.delete(key, true);
        } else if (!isObject(source.entry)) {
          names.planRemoval(plan, target);
        }
      }
      const targetInBucket = target?.entry.etag !== undefined && target.entry.key === undefined;
      const moved = this.#move(source, to, targetInBucket, { plan, changes, markers });
      changes.push(
        { parent: source.parent, name: source.name, entry: undefined },
        { parent: place.parent, name: place.name, entry: { ...moved, ctime: nowNs() } },
      );
      const leaves = fromDirectory.entry.ino !== toDirectory.entry.ino;
      const left = directoryChange(namespace, fromDirectory, source.name, leaves);
      changes.push(...left.names);
      if (leaves) changes.push(...directoryChange(namespace, toDirectory).names);
      if (target) {
        sessions.unlinked(target.entry.ino);
        reads.unlinked(target.entry.ino);
      }
      sessions.moved(source.entry.ino, place);
      if (isDirectory(source.entry)) sessions.movedBelow(source.path, to);
      const isAttributed = moved.attributed ?? moved.local ?? false;
      await namespace.mutate({
        names: changes,
        moveAttributes: [{ from: source.path, to }],
        attributes: [
          ...(isAttributed ? [{ path: to, attributes: localAttributesOf(moved) }] : []),
          ...left.attributes,
        ],
        enqueue: plan.enqueue,
        dequeue: plan.dequeue,
        removed: plan.removed,
      });
    } catch (error) {
      plan.rollback();
      throw error;
    }
    plan.commit();
  }

  /** Plans the move of one name and all below it; returns its entry under the new path. */
  #move(source: Located, to: string, targetInBucket: boolean, move: Move): NamespaceEntry {
    const { entry } = source;
    if (isDirectory(entry)) return this.#moveDirectory(source, to, move);
    if (!isObject(entry)) return entry;
    const { keys } = this.#parts;
    const [fromKey, toKey] = [keys.toKey(source.path), keys.toKey(to)];
    return this.#moveObject(entry, fromKey, toKey, targetInBucket, move.plan);
  }

  #moveDirectory(source: Located, to: string, move: Move): NamespaceEntry {
    const { namespace } = this.#parts;
    const { entry } = source;
    for (const [name, child] of namespace.children(entry.ino)) {
      // not promised to anyone yet: its session knows the new path, and publishes it there
      if (namespace.isCreated(entry.ino, name)) continue;
      const below = { path: joinPath(source.path, name), parent: entry.ino, name, entry: child };
      const moved = this.#move(below, joinPath(to, name), false, move);
      if (moved !== child) move.changes.push({ parent: entry.ino, name, entry: moved });
    }
    const { keys, options } = this.#parts;
    // a marker that says what the directory is moves as a file does
    const isTold = options.metadata === "object" && isObject(entry);
    const endings = markerEndings(entry).filter((ending) => ending !== "/" || !isTold);
    for (const ending of endings) this.#moveMarker(source, to, ending, move);
    if (!isTold) return { ...entry, local: true, until: Infinity };
    const [fromKey, toKey] = [`${keys.toKey(source.path)}/`, `${keys.toKey(to)}/`];
    return this.#moveObject(entry, fromKey, toKey, false, move.plan);
  }

  #moveMarker(source: Located, to: string, ending: string, { plan, markers }: Move): void {
    const { keys, queue } = this.#parts;
    const fromKey = `${keys.toKey(source.path)}${ending}`;
    const toKey = `${keys.toKey(to)}${ending}`;
    const staged = markers.get(fromKey);
    if (!staged || queue.fate(fromKey) !== "put") {
      // nobody pins a version of it
      plan.move({ key: fromKey, etag: "", size: 0 }, { key: toKey, inBucket: false });
      return;
    }
    plan.delete(fromKey, false);
    plan.put({ key: toKey, staged: staged.id, size: 0, inBucket: false });
    markers.delete(fromKey);
    staged.release();
  }

  #moveObject(
    entry: NamespaceEntry,
    fromKey: string,
    toKey: string,
    targetInBucket: boolean,
    plan: QueuePlan,
  ): NamespaceEntry {
    const { key, etag, staged, ...rest } = entry;
    const isTold = this.#parts.options.metadata === "object";
    const size = isDirectory(entry) ? 0 : entry.size;
    if (staged !== undefined) {
      plan.delete(fromKey, etag !== undefined && key === undefined);
      const description = isTold ? { metadata: metadataOf(entry) } : {};
      plan.put({ key: toKey, staged, size, inBucket: targetInBucket, ...description });
      return { ...rest, staged, ...(targetInBucket ? { etag: "" } : {}) };
    }
    const holder = key ?? fromKey;
    if (key !== undefined) plan.delete(fromKey, false);
    // else the copy has what its source says
    const changed = isTold && entry.attributed ? { metadata: metadataOf(entry) } : {};
    plan.move(
      { key: holder, etag: etag ?? "", size },
      { key: toKey, inBucket: targetInBucket, ...changed },
    );
    const moved = { ...rest, etag: etag ?? "", until: Infinity };
    // back where its bytes still are
    return holder === toKey ? moved : { ...moved, key: holder };
  }
}
