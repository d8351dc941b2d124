// Bringing back names whose objects are still there for the delete delay, and ending that delay.
import { Errno, errnoOf, FsError } from "../../posix/errno.ts";
import { joinPath, splitPath } from "../../posix/path.ts";
import { FileType, isDirectory } from "../../posix/stat.ts";
import type { ObjectInfo, ObjectKey, ObjectStore } from "../../s3/object-store.ts";
import type { UploadQueue } from "../../spool/spool.ts";
import type { RemovedObject, StateChange } from "../../state/mount-state.ts";
import type { NameChange, NamespaceEntry } from "../../state/namespace-entry.ts";
import type { CoreOptions, KeyMap } from "../core-options.ts";
import { metadataOf } from "../metadata/posix-metadata.ts";
import { localAttributesOf, newEntry } from "../namespace/entries.ts";
import type { Located, Namespace } from "../namespace/namespace.ts";

/** Records taken at a time; names of one step become durable together. */
const AT_ONCE = 128;
/** Refusals that are told one by one. */
const MOST_REFUSALS = 1000;

export interface UndeleteParts {
  readonly namespace: Namespace;
  readonly queue: UploadQueue;
  readonly keys: KeyMap;
  readonly options: CoreOptions;
  readonly store: Pick<ObjectStore, "headObject">;
  /** Called for each name that stands for something else now. */
  readonly changed: (path: string) => void;
}

/** A removed name whose object is still there; times in ms since the epoch. */
export interface RemovedName {
  readonly path: string;
  /** Absent when only S3 can tell. */
  readonly bytes?: number;
  readonly removedMs: number;
  /** From when on the object may be deleted. */
  readonly notBefore: number;
}

export interface UndeleteReport {
  readonly restored: number;
  /** Names that stay removed, with the reason; the first of them only when there are many. */
  readonly refused: readonly { readonly path: string; readonly reason: string }[];
  readonly refusedCount: number;
}

type Refusals = { path: string; reason: string }[];

/** What is to become true in one step. */
interface Step {
  readonly names: NameChange[];
  readonly attributes: NonNullable<StateChange["attributes"]>[number][];
  /** By path: names that this step makes, with the directories above them. */
  readonly made: Map<string, Located>;
  files: number;
}

export class Undelete {
  readonly #parts: UndeleteParts;

  constructor(parts: UndeleteParts) {
    this.#parts = parts;
  }

  /** Removed names at and below `path`, behind the path `after` ("": from the first), in bytewise order of their keys. */
  list(path: string, after: string, limit: number): readonly RemovedName[] {
    const { keys } = this.#parts;
    const found = this.#recordsAt(path, after === "" ? "" : keys.toKey(after), limit);
    return found.flatMap((record) => {
      const { removedMs, notBefore, entry } = record;
      const name = keys.toPath(record.key);
      if (name === undefined) return [];
      return [{ path: name, ...(entry ? { bytes: entry.size } : {}), removedMs, notBefore }];
    });
  }

  /**
   * Brings back what is at and below each path and was removed at `sinceMs` (ms since the epoch) or later; durable when
   * it resolves. What cannot come back is refused, and the others go on. Rejects with EROFS, or when nothing can be kept.
   */
  async undelete(paths: readonly string[], sinceMs: number): Promise<UndeleteReport> {
    if (this.#parts.options.readOnly) {
      throw new FsError("EROFS", "Cannot bring names back: mounted read-only");
    }
    const refused: Refusals = [];
    let restored = 0;
    for (const path of paths) {
      let found = 0;
      for (const chunk of this.#chunks(path)) {
        const chosen = chunk.filter(({ removedMs }) => removedMs >= sinceMs);
        found += chosen.length;
        restored += await this.#restore(chosen, refused);
      }
      if (found === 0 && path !== "/") refused.push({ path, reason: this.#whyNothing(path) });
    }
    const told = refused.slice(0, MOST_REFUSALS);
    return { restored, refused: told, refusedCount: refused.length };
  }

  /** Ends the delay at and below each path; resolves to how many objects were deleted, when they are gone. */
  async expire(paths: readonly string[]): Promise<number> {
    let count = 0;
    for (const path of paths) {
      for (const chunk of this.#chunks(path)) {
        await this.#parts.queue.expire(chunk);
        count += chunk.length;
      }
    }
    return count;
  }

  *#chunks(path: string): Generator<readonly RemovedObject[]> {
    for (let after = ""; ;) {
      const chunk = this.#recordsAt(path, after, AT_ONCE);
      const last = chunk.at(-1);
      if (last === undefined) return;
      after = last.key;
      yield chunk;
    }
  }

  /** Of the path itself and of what is below it, behind the key `after`. */
  #recordsAt(path: string, after: string, limit: number): readonly RemovedObject[] {
    const { keys, namespace } = this.#parts;
    const { removed } = namespace.state;
    const key = keys.toKey(path);
    if (path === "/") return removed.list(key, after, limit);
    const own = after === "" ? removed.get(key) : undefined;
    const from = after === key ? "" : after;
    const below = removed.list(`${key}/`, from, limit);
    return own ? [own, ...below.slice(0, limit - 1)] : below;
  }

  #whyNothing(path: string): string {
    const isThere = this.#parts.namespace.known(path) !== undefined;
    return isThere
      ? "the name is there, and nothing below it was removed"
      : "no delayed delete is of that name";
  }

  /** Resolves to how many are back. */
  async #restore(records: readonly RemovedObject[], refused: Refusals): Promise<number> {
    const found = new Map<string, NamespaceEntry>();
    for (const record of records) {
      const entry = record.entry ?? (await this.#ask(record, refused));
      if (entry) found.set(record.key, entry);
    }
    const step: Step = { names: [], attributes: [], made: new Map(), files: 0 };
    const { namespace, queue, keys } = this.#parts;
    const plan = queue.plan();
    for (const { key, removedMs } of records) {
      const entry = found.get(key);
      const path = keys.toPath(key);
      // done, brought back or overwritten while S3 was asked
      const record = namespace.state.removed.get(key);
      if (!entry || path === undefined || record?.removedMs !== removedMs) continue;
      const reason = this.#whyNot(path, step);
      if (reason !== undefined) {
        refused.push({ path, reason });
        continue;
      }
      const place = plan.restore(key);
      const back = this.#entryOf(record, entry, place);
      this.#add(step, path, back);
      if (back.attributed) {
        const attributes = localAttributesOf(back);
        step.attributes.push({ path, attributes });
        if (this.#parts.options.metadata === "object") {
          plan.describe({ key, etag: back.etag ?? "", size: back.size }, metadataOf(back));
        }
      }
    }
    await namespace.carryOut(plan, { names: step.names, attributes: step.attributes });
    for (const path of step.made.keys()) this.#parts.changed(path);
    return step.files;
  }

  /** What is at the key of an object of which the queue knows no more than that. */
  async #ask({ key }: RemovedObject, refused: Refusals): Promise<NamespaceEntry | undefined> {
    const { store, namespace, options, keys } = this.#parts;
    const path = keys.toPath(key) ?? key;
    let object: ObjectInfo | undefined;
    try {
      object = await store.headObject(key as ObjectKey);
    } catch (error) {
      const isTrouble = errnoOf(error) !== Errno.ENOENT;
      refused.push({
        path,
        reason: isTrouble ? `S3 does not tell what it is: ${String(error)}` : "gone",
      });
      return undefined;
    }
    if (object === undefined) {
      refused.push({ path, reason: "the bucket has no object of that name" });
      return undefined;
    }
    const time = BigInt(object.lastModified) * 1_000_000n;
    const { size, etag } = object;
    const content = { size, etag, mtime: time, atime: time, ctime: time };
    return newEntry(namespace.nextIno(), FileType.file | options.fileMode, options, content);
  }

  /** Why the name cannot come back; undefined: it can. */
  #whyNot(path: string, { made: others }: Step): string | undefined {
    const { namespace } = this.#parts;
    let at = namespace.root();
    const names = splitPath(path);
    for (const [i, name] of names.entries()) {
      const here = joinPath(at.path, name);
      const made = others.get(here);
      const entry = made?.entry ?? namespace.get(at.entry.ino, name);
      if (!entry) return undefined;
      if (i === names.length - 1) {
        return `a new ${isDirectory(entry) ? "directory" : "file"} has its name: rename that first`;
      }
      if (!isDirectory(entry)) return `"${here}" is no directory any more: rename it first`;
      at = made ?? { path: here, parent: at.entry.ino, name, entry };
    }
    return undefined;
  }

  #entryOf(
    record: RemovedObject,
    was: NamespaceEntry,
    place: Pick<NamespaceEntry, "staged" | "key" | "etag">,
  ): NamespaceEntry {
    const { namespace, options } = this.#parts;
    const isOwn = place.staged === undefined && place.key === undefined;
    const etag = place.etag ?? record.etag ?? was.etag ?? "";
    return {
      ...was,
      // who has the removed file open goes on with that
      ino: namespace.nextIno(),
      generation: 0,
      ...place,
      ...(place.staged === undefined ? { etag } : {}),
      until: isOwn ? Date.now() + options.statCacheTtlMs : Infinity,
    };
  }

  /** Adds the name, with the directories above it that are gone too. */
  #add(step: Step, path: string, entry: NamespaceEntry): void {
    const { namespace, options } = this.#parts;
    let at = namespace.root();
    const names = splitPath(path);
    for (const name of names.slice(0, -1)) {
      const here = joinPath(at.path, name);
      const parent = at.entry.ino;
      const known = step.made.get(here);
      const found = known?.entry ?? namespace.get(parent, name);
      const mode = FileType.directory | options.dirMode;
      const until = Date.now() + options.statCacheTtlMs;
      const directory = found ?? newEntry(namespace.nextIno(), mode, options, { until });
      at = known ?? { path: here, parent, name, entry: directory };
      if (found) continue;
      step.made.set(here, at);
      step.names.push({ parent, name, entry: directory });
    }
    const parent = at.entry.ino;
    const name = names.at(-1) ?? "";
    step.names.push({ parent, name, entry });
    step.made.set(path, { path, parent, name, entry });
    step.files += 1;
  }
}
