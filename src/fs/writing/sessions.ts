// The write sessions that are open, by the ino of their file, and where their names are now.
import { isBelowOrEqual } from "../../posix/path.ts";
import type { SessionPlace, WriteSession } from "./write-session.ts";

export class Sessions {
  readonly #byIno = new Map<number, WriteSession[]>();

  add(session: WriteSession): void {
    const sessions = this.#byIno.get(session.ino);
    if (sessions) sessions.push(session);
    else this.#byIno.set(session.ino, [session]);
  }

  remove(session: WriteSession): void {
    const sessions = this.#byIno.get(session.ino)?.filter((other) => other !== session) ?? [];
    if (sessions.length > 0) this.#byIno.set(session.ino, sessions);
    else this.#byIno.delete(session.ino);
  }

  /** The newest session of the file that others see, if it is being written. */
  visible(ino: number): WriteSession | undefined {
    return this.#byIno.get(ino)?.findLast((session) => session.visible && session.place);
  }

  /** All sessions of a file, the newest last. */
  of(ino: number): readonly WriteSession[] {
    return this.#byIno.get(ino) ?? [];
  }

  /** The file's name is gone, or stands for something else: nothing of its sessions will be published. */
  unlinked(ino: number): void {
    for (const session of this.of(ino)) session.place = undefined;
  }

  /** The file itself was renamed. */
  moved(ino: number, place: SessionPlace): void {
    for (const session of this.of(ino)) if (session.place) session.place = place;
  }

  /** A directory was renamed: paths below it change, parents do not. */
  movedBelow(from: string, to: string): void {
    for (const session of this.all()) {
      const place = session.place;
      if (!place || place.path === from || !isBelowOrEqual(place.path, from)) continue;
      session.place = { ...place, path: to + place.path.slice(from.length) };
    }
  }

  *all(): Generator<WriteSession> {
    for (const sessions of this.#byIno.values()) yield* sessions;
  }

  get count(): number {
    return this.#byIno.size;
  }
}
