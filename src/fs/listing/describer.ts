// Asks objects what they say of themselves (--metadata=object): a listing has no metadata, so each takes a HEAD, once
// per change of the object.
import { LRUCache } from "lru-cache";
import { log } from "../../log.ts";
import { isDirectory } from "../../posix/stat.ts";
import type { ObjectInfo, ObjectKey, ObjectStore } from "../../s3/object-store.ts";
import type { NamespaceEntry } from "../../state/namespace-entry.ts";
import type { CoreOptions, KeyMap } from "../core-options.ts";
import { describedEntry, isDescribed, unmarked } from "../metadata/described-entry.ts";
import type { Located, Namespace } from "../namespace/namespace.ts";

/** How often an entry is asked for whose object changes under the question. */
const TRIES = 3;
/** How long what was known is served where S3 does not answer. */
const EXCUSED_MS = 1000;

export class Describer {
  readonly #namespace: Namespace;
  readonly #store: ObjectStore;
  readonly #keys: KeyMap;
  readonly #options: CoreOptions;
  readonly #asking = new Map<string, Promise<void>>();
  /** Inos whose objects could not be asked just now. */
  readonly #excused = new LRUCache<number, true>({ max: 10_000, ttl: EXCUSED_MS });

  constructor(namespace: Namespace, store: ObjectStore, keys: KeyMap, options: CoreOptions) {
    this.#namespace = namespace;
    this.#store = store;
    this.#keys = keys;
    this.#options = options;
  }

  /** Whether the entry may be shown as it is. */
  knows(entry: NamespaceEntry): boolean {
    if (isDescribed(entry, this.#options)) return true;
    return entry.describedAt !== undefined && this.#excused.has(entry.ino);
  }

  /**
   * Resolves when the name's attributes are known, or its object is in doubt. Where S3 does not answer, what was known
   * before does for it; rejects when nothing was.
   */
  async ask(located: Located): Promise<void> {
    const { parent, name, path } = located;
    for (let tries = 0; tries < TRIES; tries += 1) {
      const entry = this.#namespace.get(parent, name);
      if (!entry || this.knows(entry)) return;
      let asking = this.#asking.get(path);
      if (!asking) {
        asking = this.#ask({ ...located, entry }).finally(() => this.#asking.delete(path));
        this.#asking.set(path, asking);
      }
      await asking;
    }
  }

  async #ask(located: Located): Promise<void> {
    const { entry, parent, name, path } = located;
    const own = this.#keys.toKey(path);
    const key = entry.key ?? (isDirectory(entry) ? `${own}/` : own);
    const seen = this.#namespace.observe();
    try {
      const object = await this.#store.headObject(key as ObjectKey);
      const now = this.#namespace.get(parent, name);
      if (!now || now.ino !== entry.ino || now.key !== entry.key) return;
      if (seen.touched(parent, name)) return;
      const change = isDirectory(now) ? this.#marked(now, object) : this.#told(now, object);
      this.#namespace.learn([{ parent, name, entry: change }]);
    } catch (error) {
      if (entry.describedAt === undefined) throw error;
      log.debug("S3 did not answer for %j, serving what was known: %s", path, error);
      this.#excused.set(entry.ino, true);
    } finally {
      seen.end();
    }
  }

  #told(entry: NamespaceEntry, object: ObjectInfo | undefined): NamespaceEntry {
    const isVersion = object !== undefined && (!entry.etag || entry.etag === object.etag);
    // another object, or none: the next lookup settles it
    return isVersion ? this.#describe(entry, object) : { ...entry, until: 0 };
  }

  #marked(entry: NamespaceEntry, marker: ObjectInfo | undefined): NamespaceEntry {
    if (!marker) return unmarked(entry, this.#options);
    return { ...this.#describe(entry, marker), marker: true };
  }

  #describe(entry: NamespaceEntry, object: ObjectInfo): NamespaceEntry {
    return describedEntry(entry, object, this.#options, () => this.#namespace.nextIno());
  }
}
