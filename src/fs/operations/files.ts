// open(2) and creat(2): which bytes an opener gets, and the life of the sessions behind writable handles.
import { FsError, errnoOf, Errno } from "../../posix/errno.ts";
import { O_WRONLY, parseOpenFlags, type OpenFlags } from "../../posix/open-flags.ts";
import { baseName, checkName, parentPath } from "../../posix/path.ts";
import { FileType, isDirectory, nowNs, S_ISGID } from "../../posix/stat.ts";
import type { ObjectStore } from "../../s3/object-store.ts";
import type { Spool } from "../../spool/spool.ts";
import type { Completeness } from "../listing/completeness.ts";
import type { CoreOptions, KeyMap } from "../core-options.ts";
import { applyChanges } from "../namespace/attribute-changes.ts";
import { newEntry } from "../namespace/entries.ts";
import type { EntryKeeper } from "../namespace/keep-entry.ts";
import type { AttributeChanges, CallContext, FileHandle, MaybePromise } from "../file-system.ts";
import type { Lookup } from "../listing/lookup.ts";
import type { Located, Namespace } from "../namespace/namespace.ts";
import { ObjectHandle } from "../reading/object-handle.ts";
import type { ReadOnlyHost } from "../reading/read-only-handle.ts";
import type { ObjectReader } from "../reading/object-reader.ts";
import type { ObjectReaders } from "../reading/object-readers.ts";
import type { OpenReads } from "../reading/open-reads.ts";
import type { Publisher } from "../writing/publisher.ts";
import { objectBase, stagedBase } from "../writing/session-base.ts";
import { SessionHandle, type SessionHost } from "../writing/session-handle.ts";
import type { Sessions } from "../writing/sessions.ts";
import { StagedHandle } from "../writing/staged-handle.ts";
import { type SessionBase, type SessionPlace, WriteSession } from "../writing/write-session.ts";

/** How often an open starts again because the content moved from the spool to the bucket under it. */
const OPEN_TRIES = 4;

export interface FilesParts {
  readonly namespace: Namespace;
  readonly lookup: Lookup;
  readonly sessions: Sessions;
  readonly reads: OpenReads;
  readonly readers: ObjectReaders;
  readonly publisher: Publisher;
  readonly keeper: EntryKeeper;
  readonly completeness: Completeness;
  readonly spool: Spool;
  readonly store: ObjectStore;
  readonly keys: KeyMap;
  readonly options: CoreOptions;
}

export class Files implements SessionHost {
  readonly #parts: FilesParts;

  constructor(parts: FilesParts) {
    this.#parts = parts;
  }

  open(path: string, flags: number, context: CallContext): MaybePromise<FileHandle> {
    const found = this.#parts.lookup.existing(path, context.signal);
    const access = parseOpenFlags(flags);
    if (found instanceof Promise) return found.then((located) => this.#open(located, access));
    return this.#open(found, access);
  }

  async create(
    path: string,
    flags: number,
    mode: number,
    context: CallContext,
  ): Promise<FileHandle> {
    const { namespace, lookup, spool } = this.#parts;
    const name = baseName(path);
    checkName(name);
    const access = parseOpenFlags(flags);
    const found = await lookup.resolve(path, context.signal);
    if (found) return this.#openExisting(found, access);
    this.#assertWritable();
    this.#parts.keys.toKey(path);
    const staged = await spool.create();
    // from here on nothing waits, so that of two creators one sees the other
    const directory = namespace.known(parentPath(path));
    const other = directory && namespace.get(directory.entry.ino, name);
    if (!directory || !isDirectory(directory.entry) || other) {
      staged.release();
      spool.discard(staged.id);
      if (!directory || !other) throw new FsError("ENOENT", `Cannot create "${path}"`);
      return this.#openExisting({ path, parent: directory.entry.ino, name, entry: other }, access);
    }
    const owner = ownerOf(directory, context);
    const type = FileType.file | (mode & 0o7777);
    const entry = newEntry(namespace.nextIno(), type, owner, { staged: staged.id });
    const place = { path, parent: directory.entry.ino, name };
    const session = new WriteSession({ entry, generation: 0, staged, visible: true, place });
    namespace.setCreated(place.parent, name, entry);
    const touched = namespace.touchDirectory(directory);
    if (touched) namespace.learn([touched]);
    return this.#begin(session, { ...access, writable: true });
  }

  commit(session: WriteSession): Promise<void> {
    return this.#parts.publisher.commit(session);
  }

  async setattr(session: WriteSession, changes: AttributeChanges): Promise<void> {
    session.setattr(changes);
    // what is not seen yet gets its attributes with its first commit
    if (session.place && session.visible) await this.#keep(session.place, session.ino, changes);
  }

  /** Attributes set through a descriptor are those of the name, as long as it stands for the same file. */
  async #keep(place: SessionPlace, ino: number, changes: AttributeChanges): Promise<void> {
    const { namespace } = this.#parts;
    const known = namespace.get(place.parent, place.name);
    if (known?.ino !== ino) return;
    await this.#parts.keeper.keep(place, applyChanges(known, changes));
  }

  #host(located: Located, onRelease: () => void): ReadOnlyHost {
    const keep = (changes: AttributeChanges) => this.#keep(located, located.entry.ino, changes);
    return this.#parts.reads.host(located.entry, keep, onRelease);
  }

  async released(session: WriteSession, wrote: boolean): Promise<void> {
    if (wrote && session.writers === 0) {
      // what is read meanwhile comes from the staged file, and its readers come and go
      session.sealing += 1;
      await this.#parts.publisher.seal(session).finally(() => (session.sealing -= 1));
    }
    if (session.users + session.writers + session.sealing === 0) session.dispose();
  }

  roomy(): boolean {
    return this.#parts.spool.roomy();
  }

  /**
   * A session for truncate(2); the caller must release the handle. It keeps the generation: the kernel cuts its pages
   * itself, and what is left of them are the bytes of both contents.
   */
  openForTruncate(located: Located): Promise<SessionHandle> {
    return this.#openForWrite(located, parseOpenFlags(O_WRONLY), located.entry.generation);
  }

  #openExisting(located: Located, access: OpenFlags): MaybePromise<FileHandle> {
    if (access.exclusive) throw new FsError("EEXIST", `Cannot create "${located.path}": it exists`);
    return this.#open(located, access);
  }

  #open(located: Located, access: OpenFlags): MaybePromise<FileHandle> {
    const { entry, path } = located;
    const writes = access.writable || access.truncate;
    if (isDirectory(entry)) throw new FsError("EISDIR", `Cannot open "${path}": a directory`);
    const type = entry.mode & FileType.mask;
    if (type === FileType.symlink) throw new FsError("ELOOP", `Cannot open "${path}": a symlink`);
    if (type !== FileType.file) throw new FsError("ENXIO", `Cannot open "${path}": a special file`);
    if (writes) return this.#openForWrite(located, { ...access, writable: true });
    const session = this.#parts.sessions.visible(entry.ino);
    if (session) return new SessionHandle(session, this, access);
    if (entry.staged !== undefined) return this.#openStaged(located);
    if (!entry.etag) return this.#openUnknown(located);
    const reader = this.#useObject(located);
    const host = this.#host(located, () => this.#parts.readers.release(reader));
    return new ObjectHandle(reader, { ...host, replaced: () => this.#doubt(located) });
  }

  /** The next lookup of the name asks S3. */
  #doubt(located: Located): void {
    const { parent, name, entry } = located;
    const now = this.#parts.namespace.state.get(parent, name);
    if (!now || now.etag !== entry.etag || now.staged !== undefined) return;
    this.#parts.namespace.learn([{ parent, name, entry: { ...now, until: 0 } }]);
    this.#parts.completeness.doubt({ ino: parent, path: parentPath(located.path) });
  }

  async #openStaged(located: Located): Promise<FileHandle> {
    let entry = located.entry;
    for (let tries = 1; ; tries += 1) {
      try {
        const staged = await this.#parts.spool.open(entry.staged ?? "");
        return new StagedHandle(
          staged,
          this.#host({ ...located, entry }, () => staged.release()),
        );
      } catch (error) {
        // uploaded in the meantime: the name says where the bytes are now
        const now = this.#parts.namespace.get(located.parent, located.name);
        if (tries === OPEN_TRIES || !now || now.staged === entry.staged) throw error;
        if (now.staged === undefined)
          return this.#open({ ...located, entry: now }, parseOpenFlags(0));
        entry = now;
      }
    }
  }

  /** The listing brought no ETag: HEAD pins one. */
  async #openUnknown(located: Located): Promise<FileHandle> {
    const key = this.#parts.keys.toKey(located.path);
    const object = await this.#parts.store.headObject(key);
    if (!object) throw new FsError("ESTALE", `Cannot open "${located.path}": the object is gone`);
    const entry = { ...located.entry, etag: object.etag, size: object.size };
    this.#parts.namespace.learn([{ parent: located.parent, name: located.name, entry }]);
    return this.#open({ ...located, entry }, parseOpenFlags(0));
  }

  async #openForWrite(
    located: Located,
    access: OpenFlags,
    generation?: number,
  ): Promise<SessionHandle> {
    this.#assertWritable();
    const { namespace, sessions, spool } = this.#parts;
    if (!access.truncate) {
      const session = sessions.visible(located.entry.ino);
      if (session && session.writers > 0) return new SessionHandle(session, this, access);
    }
    const staged = await spool.create();
    try {
      const entry = namespace.get(located.parent, located.name) ?? located.entry;
      if (!access.truncate) {
        const raced = sessions.visible(entry.ino);
        if (raced && raced.writers > 0) {
          staged.release();
          spool.discard(staged.id);
          return new SessionHandle(raced, this, access);
        }
      }
      const base =
        access.truncate || entry.size === 0 ? undefined : await this.#base({ ...located, entry });
      const session = new WriteSession({
        entry: access.truncate ? truncated(entry) : entry,
        generation: generation ?? namespace.nextIno(),
        staged,
        visible: !access.truncate,
        place: { path: located.path, parent: located.parent, name: located.name },
        ...(base ? { base } : {}),
      });
      return this.#begin(session, access);
    } catch (error) {
      staged.release();
      spool.discard(staged.id);
      throw error;
    }
  }

  async #base(located: Located): Promise<SessionBase> {
    const { entry } = located;
    const { spool, readers, sessions } = this.#parts;
    const sealed = sessions.visible(entry.ino);
    if (sealed?.hydrated) {
      const from = await spool.open(sealed.staged.id);
      return stagedBase(from);
    }
    if (entry.staged !== undefined) {
      try {
        return stagedBase(await spool.open(entry.staged));
      } catch (error) {
        const now = this.#parts.namespace.get(located.parent, located.name);
        if (errnoOf(error) !== Errno.EIO || !now || now.staged === entry.staged) throw error;
        return this.#base({ ...located, entry: now });
      }
    }
    const reader = this.#useObject(located);
    return objectBase(
      reader,
      () => readers.release(reader),
      () => this.#doubt(located),
    );
  }

  #useObject(located: Located): ObjectReader {
    const { entry, path } = located;
    const key = entry.key ?? this.#parts.keys.toKey(path);
    return this.#parts.readers.use({ key, etag: entry.etag ?? "", size: entry.size });
  }

  #begin(session: WriteSession, access: OpenFlags): SessionHandle {
    this.#parts.publisher.begin(session);
    return new SessionHandle(session, this, access);
  }

  #assertWritable(): void {
    if (this.#parts.options.readOnly) throw new FsError("EROFS", "Cannot write: mounted read-only");
  }
}

function truncated(entry: Located["entry"]): Located["entry"] {
  const now = nowNs();
  return { ...entry, size: 0, mtime: now, ctime: now };
}

/** Who owns what is created in `directory`: the caller, the group of a set-group-id directory. */
export function ownerOf(directory: Located, context: CallContext): { uid: number; gid: number } {
  const inherits = (directory.entry.mode & S_ISGID) !== 0;
  return { uid: context.uid, gid: inherits ? directory.entry.gid : context.gid };
}
