// Makes changed attributes of a name durable, and with --metadata=object queues them for its object.
import { isDirectory } from "../../posix/stat.ts";
import type { QueuePlan, Spool, StagedFile, UploadQueue } from "../../spool/spool.ts";
import type { NamespaceEntry } from "../../state/namespace-entry.ts";
import type { CoreOptions, KeyMap } from "../core-options.ts";
import { isObject, localAttributesOf } from "./entries.ts";
import type { Located, Namespace } from "./namespace.ts";
import { metadataOf } from "../metadata/posix-metadata.ts";

export class EntryKeeper {
  readonly #namespace: Namespace;
  readonly #queue: UploadQueue;
  readonly #spool: Spool;
  readonly #keys: KeyMap;
  readonly #options: CoreOptions;

  constructor(
    namespace: Namespace,
    queue: UploadQueue,
    spool: Spool,
    keys: KeyMap,
    options: CoreOptions,
  ) {
    this.#namespace = namespace;
    this.#queue = queue;
    this.#spool = spool;
    this.#keys = keys;
    this.#options = options;
  }

  /** Visible at once, durable when it resolves; of a file that was created and not closed yet, with its close. */
  async keep(
    located: Pick<Located, "path" | "parent" | "name">,
    entry: NamespaceEntry,
  ): Promise<void> {
    const { parent, name, path } = located;
    if (this.#namespace.isCreated(parent, name)) {
      this.#namespace.setCreated(parent, name, entry);
      return;
    }
    const isAttributed = entry.attributed || entry.local;
    const isTold = isAttributed && this.#options.metadata === "object" && path !== "/";
    const marker = isTold && needsMarker(entry) ? await this.#spool.create() : undefined;
    const plan = this.#queue.plan();
    const kept = isTold ? this.#plan(plan, path, entry, marker) : entry;
    try {
      await this.#namespace.carryOut(plan, {
        names: [{ parent, name, entry: kept }],
        ...(isAttributed ? { attributes: [{ path, attributes: localAttributesOf(kept) }] } : {}),
      });
    } catch (error) {
      if (marker) this.#spool.discard(marker.id);
      throw error;
    } finally {
      marker?.release();
    }
  }

  #plan(
    plan: QueuePlan,
    path: string,
    entry: NamespaceEntry,
    marker: StagedFile | undefined,
  ): NamespaceEntry {
    const own = this.#keys.toKey(path);
    const key = isDirectory(entry) ? `${own}/` : own;
    const metadata = metadataOf(entry);
    if (marker) {
      const inBucket = entry.marker === true;
      plan.put({ key, staged: marker.id, size: 0, inBucket, metadata });
      return { ...entry, staged: marker.id, marker: true };
    }
    if (!isObject(entry)) return entry;
    const size = isDirectory(entry) ? 0 : entry.size;
    plan.describe({ key, etag: entry.etag ?? "", size }, metadata);
    return entry;
  }
}

/** A directory whose attributes have no object to be in. */
function needsMarker(entry: NamespaceEntry): boolean {
  return isDirectory(entry) && !isObject(entry);
}
