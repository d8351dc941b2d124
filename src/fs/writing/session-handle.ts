// open(2) on a file that is being written: reads and writes go to the session's staged file.
import { log } from "../../log.ts";
import { FsError } from "../../posix/errno.ts";
import type {
  AttributeChanges,
  CallContext,
  Entry,
  FileHandle,
  MaybePromise,
} from "../file-system.ts";
import { entryOf } from "../namespace/entries.ts";
import { seekInFull, unlinkedStat } from "../reading/object-handle.ts";
import { notWritable } from "../reading/read-only-handle.ts";
import type { WriteSession } from "./write-session.ts";

/** What a session's handles ask of their surroundings. */
export interface SessionHost {
  commit(session: WriteSession): Promise<void>;
  /** Changes mode, owner or times of the session's file, and of its name if that stands for it. */
  setattr(session: WriteSession, changes: AttributeChanges): Promise<void>;
  /** A handle was released; `wrote` tells whether it was a writer. */
  released(session: WriteSession, wrote: boolean): Promise<void>;
  /** Whether descriptors for writing may be given to the kernel. */
  roomy(): boolean;
}

export class SessionHandle implements FileHandle {
  readonly keepCache = true;
  readonly #session: WriteSession;
  readonly #host: SessionHost;
  readonly #readable: boolean;
  readonly #writable: boolean;
  readonly #append: boolean;

  /** The session's counts of users and writers include this handle from here on. */
  constructor(
    session: WriteSession,
    host: SessionHost,
    access: { readable: boolean; writable: boolean; append: boolean },
  ) {
    this.#session = session;
    this.#host = host;
    this.#readable = access.readable;
    this.#writable = access.writable;
    this.#append = access.append;
    session.users += 1;
    if (access.writable) session.writers += 1;
  }

  entry(): Entry {
    const entry = entryOf(this.#session.entry());
    return this.#session.place ? entry : { stat: unlinkedStat(entry.stat), validMs: 0 };
  }

  backing(): number | undefined {
    if (!this.#session.hydrated) return undefined;
    if (!this.#writable) return this.#session.staged.fd;
    return this.#session.handedOut || this.#host.roomy() ? this.#session.handOut() : undefined;
  }

  read(offset: number, length: number, context: CallContext): MaybePromise<readonly Uint8Array[]> {
    if (!this.#readable) throw new FsError("EBADF", "Cannot read a file opened for writing only");
    return this.#session.read(offset, length, context.signal);
  }

  write(offset: number, data: Uint8Array, _context: CallContext): Promise<number> {
    if (!this.#writable) throw notWritable();
    this.#session.assertRoomFor(offset + data.length);
    return this.#session.write(this.#append ? "append" : offset, data);
  }

  async setattr(changes: AttributeChanges, _context: CallContext): Promise<Entry> {
    if (changes.size !== undefined) {
      this.#session.assertRoomFor(changes.size);
      await this.#session.truncate(changes.size);
    }
    await this.#host.setattr(this.#session, changes);
    return this.entry();
  }

  flush(): MaybePromise<void> {
    if (this.#writable) return this.#host.commit(this.#session);
  }

  fsync(): Promise<void> {
    return this.#host.commit(this.#session);
  }

  fallocate(mode: number, offset: number, length: number): Promise<void> {
    if (!this.#writable) throw notWritable();
    this.#session.assertRoomFor(offset + length);
    return this.#session.allocate(mode, offset, length);
  }

  lseek(offset: number, whence: number): MaybePromise<number> {
    if (this.#session.hydrated) return this.#session.staged.seek(offset, whence);
    return seekInFull(this.#session.entry().size, offset, whence);
  }

  release(): void {
    this.#session.users -= 1;
    if (this.#writable) this.#session.writers -= 1;
    this.#host
      .released(this.#session, this.#writable)
      .catch((error: unknown) => log.error("Cannot end a write session: %s", error));
  }
}
