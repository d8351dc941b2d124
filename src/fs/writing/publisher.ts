// Makes what a session holds the content of its name: durable here first, then queued for the bucket.
import { log } from "../../log.ts";
import { FsError } from "../../posix/errno.ts";
import type { Spool, UploadQueue } from "../../spool/spool.ts";
import type { NamespaceEntry } from "../../state/namespace-entry.ts";
import type { CoreOptions, KeyMap } from "../core-options.ts";
import type { LingeringFiles } from "./linger.ts";
import { metadataOf } from "../metadata/posix-metadata.ts";
import { hasDefaultAttributes, localAttributesOf } from "../namespace/entries.ts";
import type { Namespace } from "../namespace/namespace.ts";
import type { Sessions } from "./sessions.ts";
import type { WriteSession } from "./write-session.ts";

export class Publisher {
  readonly #namespace: Namespace;
  readonly #sessions: Sessions;
  readonly #spool: Spool;
  readonly #queue: UploadQueue;
  readonly #keys: KeyMap;
  readonly #options: CoreOptions;
  readonly #lingering: LingeringFiles;
  readonly #changed: (path: string) => void;

  /** `changed` is called for each name that stands for something else behind the kernel's back. */
  constructor(
    namespace: Namespace,
    sessions: Sessions,
    spool: Spool,
    queue: UploadQueue,
    keys: KeyMap,
    options: CoreOptions,
    lingering: LingeringFiles,
    changed: (path: string) => void,
  ) {
    this.#changed = changed;
    this.#lingering = lingering;
    this.#namespace = namespace;
    this.#sessions = sessions;
    this.#spool = spool;
    this.#queue = queue;
    this.#keys = keys;
    this.#options = options;
  }

  /** Registers a session; its upload waits for its last writer. */
  begin(session: WriteSession): void {
    this.#sessions.add(session);
    this.#queue.hold(session.staged.id);
  }

  /** The promise of close(2) and fsync(2) for what was written so far. */
  async commit(session: WriteSession): Promise<void> {
    if (!session.place || !session.dirty) return;
    let previous: NamespaceEntry | undefined;
    await session.commit({
      room: () => this.#spool.settleRoom(session.staged),
      publish: async (entry) => {
        const place = session.place;
        previous = place && this.#namespace.state.get(place.parent, place.name);
        await this.#publish(session, entry);
      },
    });
    // an empty file may be one that is about to be written: it is published when its last writer is gone
    const isEmpty = session.staged.stat().size === 0;
    if (this.#options.ack === "s3" && !isEmpty) await this.#confirm(session, previous);
  }

  /** The last writer is gone: what was not committed yet (mmap writes after close) is, and the upload may start. */
  async seal(session: WriteSession): Promise<void> {
    const isKept = await this.#commitRest(session);
    if (session.writers > 0) return;
    const { id } = session.staged;
    if (!isKept && session.place) this.#changed(session.place.path);
    if (session.everCommitted) {
      // no content of any object: it must not become cache content
      if (!isKept) this.#spool.discard(id);
      await this.#release(session);
      return;
    }
    this.#sessions.remove(session);
    void this.#queue.unhold(id);
    const place = session.place;
    if (place && this.#namespace.isCreated(place.parent, place.name)) {
      const created = this.#namespace.get(place.parent, place.name);
      if (created?.ino === session.ino)
        this.#namespace.setCreated(place.parent, place.name, undefined);
    }
    this.#spool.discard(id);
  }

  /** What was not committed yet; resolves to whether all is. What close(2) refused stays refused. */
  async #commitRest(session: WriteSession): Promise<boolean> {
    if (!session.place || !session.dirty) return true;
    if (session.failed) return false;
    try {
      await this.commit(session);
      return true;
    } catch (error) {
      log.error("Cannot keep what was written to %j: %s", session.place?.path, error);
      return false;
    }
  }

  /** Lets a committed file go: to the bucket, or, when it is there already (ack=s3), to the cache. */
  async #release(session: WriteSession): Promise<void> {
    const { id } = session.staged;
    const { place } = session;
    if (place && this.#queue.fate(this.#keys.toKey(place.path)) === "put") {
      this.#sessions.remove(session);
      this.#lingering.release(id);
      return;
    }
    // until the cache has the bytes they are read from here
    await this.#queue.unhold(id);
    this.#sessions.remove(session);
  }

  async #publish(session: WriteSession, entry: NamespaceEntry): Promise<void> {
    const place = session.place;
    if (!place) return;
    const { path, parent, name } = place;
    const created = this.#namespace.isCreated(parent, name)
      ? this.#namespace.get(parent, name)
      : undefined;
    const current = this.#namespace.state.get(parent, name);
    const { key: _key, local: _local, etag: _etag, ...rest } = entry;
    const inBucket = current?.etag === undefined ? {} : { etag: current.etag };
    const published: NamespaceEntry = {
      ...rest,
      ...inBucket,
      staged: session.staged.id,
      until: Infinity,
    };
    const isTold = this.#options.metadata === "object";
    const isPlain =
      !isTold && !published.attributed && hasDefaultAttributes(published, this.#options);
    const attributes = isPlain ? undefined : localAttributesOf(published);
    const hadAttributes = this.#namespace.state.localAttributes(path) !== undefined;
    const plan = this.#queue.plan();
    plan.put({
      key: this.#keys.toKey(path),
      staged: session.staged.id,
      size: published.size,
      inBucket: current?.etag !== undefined,
      ...(isTold ? { metadata: metadataOf(published) } : {}),
    });
    try {
      await this.#namespace.carryOut(plan, {
        names: [{ parent, name, entry: isPlain ? published : { ...published, attributed: true } }],
        ...(attributes || hadAttributes ? { attributes: [{ path, attributes }] } : {}),
      });
    } catch (error) {
      if (created && session.place === place) this.#namespace.setCreated(parent, name, created);
      throw error;
    }
    session.visible = true;
  }

  /** With ack=s3 the caller waits for the bucket; when it refuses, the name keeps its previous content. */
  async #confirm(session: WriteSession, previous: NamespaceEntry | undefined): Promise<void> {
    const place = session.place;
    if (!place) return;
    const key = this.#keys.toKey(place.path);
    const { id } = session.staged;
    // the file has a record again: nothing becomes of it but an upload
    void this.#queue.unhold(id);
    const settled = this.#queue.settled(key);
    this.#queue.hold(id);
    try {
      await settled;
    } catch (error) {
      // an attempt that still runs may succeed: what it did is what the caller is told
      await this.#queue.idle(key);
      if (!this.#isPending(session)) return;
      await this.#revert(session, previous);
      const reason = error instanceof Error ? error.message : String(error);
      throw new FsError("EIO", `Cannot store "${place.path}" in the bucket: ${reason}`, {
        cause: error,
      });
    }
  }

  #isPending(session: WriteSession): boolean {
    const { place, staged } = session;
    return (
      place !== undefined &&
      this.#namespace.state.get(place.parent, place.name)?.staged === staged.id
    );
  }

  async #revert(session: WriteSession, previous: NamespaceEntry | undefined): Promise<void> {
    const place = session.place;
    if (!place) return;
    const { parent, name, path } = place;
    const current = this.#namespace.state.get(parent, name);
    if (current?.staged !== session.staged.id) return;
    const plan = this.#queue.plan();
    plan.cancel(this.#keys.toKey(path), session.staged.id);
    await this.#namespace.mutate({
      names: [{ parent, name, entry: previous }],
      enqueue: plan.enqueue,
      dequeue: plan.dequeue,
      removed: plan.removed,
    });
    plan.commit();
    session.place = undefined;
    this.#changed(path);
  }
}
