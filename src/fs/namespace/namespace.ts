// The names of the mount as its users see them: what the state folder holds, and over it the files that were created
// but not closed yet (their names must not survive a crash, so they are kept in memory only).
import { FsError } from "../../posix/errno.ts";
import { type Nanoseconds, nowNs } from "../../posix/stat.ts";
import type { QueuePlan } from "../../spool/spool.ts";
import type { MountState, StateChange } from "../../state/mount-state.ts";
import type { NameChange, NamespaceEntry } from "../../state/namespace-entry.ts";
import { baseName, parentPath, splitPath } from "../../posix/path.ts";
import { InoSet } from "./ino-set.ts";

/** A name and what it stands for. */
export interface Located {
  readonly path: string;
  readonly parent: number;
  readonly name: string;
  readonly entry: NamespaceEntry;
}

/** A question to S3 under way: names changed by us since it began are not overwritten by its older view. */
export interface Observation {
  /** Ms since the epoch. */
  readonly startedAt: number;
  /** What was told so far. */
  readonly saw: InoSet;
  touched(parent: number, name: string): boolean;
  /** Whether any name in the directory was. */
  touchedIn(parent: number): boolean;
  /** Whether we deleted the object at `key` meanwhile. */
  removed(key: string): boolean;
  removedBelow(prefix: string): boolean;
  end(): void;
}

/** What we changed while a question was under way. */
interface Observed {
  readonly names: Set<string>;
  /** The directories of these names. */
  readonly parents: Set<number>;
  readonly keys: Set<string>;
}

export class Namespace {
  readonly #state: MountState;
  readonly #created = new Map<number, Map<string, NamespaceEntry>>();
  readonly #hiding = new Set<number>();
  /** Called when a name of the directory may stand for an object that nobody was told of. */
  onDoubt: (directory: Located) => void = () => undefined;
  readonly #observations = new Set<Observed>();
  /** Paths of which is not known whether anything is left there, as what was to be deleted is all that is known of them. */
  readonly unsure = new Set<string>();

  constructor(state: MountState) {
    this.#state = state;
  }

  get(parent: number, name: string): NamespaceEntry | undefined {
    return this.#created.get(parent)?.get(name) ?? this.#state.get(parent, name);
  }

  /** The root directory. */
  root(): Located {
    const entry = this.get(0, "");
    if (!entry) throw new Error("The namespace has no root entry");
    return { path: "/", parent: 0, name: "", entry };
  }

  // Children in bytewise order, files created but not closed yet last.
  *children(parent: number): Generator<readonly [string, NamespaceEntry]> {
    const created = this.#created.get(parent);
    for (const child of this.#state.children(parent)) {
      if (!created?.has(child[0])) yield child;
    }
    if (created) yield* created;
  }

  /** Children behind the name `after` in bytewise order, without files that were created and not closed yet. */
  childrenAfter(
    parent: number,
    after: string | undefined,
  ): Iterable<readonly [string, NamespaceEntry]> {
    return this.#state.children(parent, after);
  }

  /** Names of files that were created and not closed yet. */
  createdIn(parent: number): readonly string[] {
    return [...(this.#created.get(parent)?.keys() ?? [])];
  }

  hasChildren(parent: number): boolean {
    return (this.#created.get(parent)?.size ?? 0) > 0 || this.#state.hasChildren(parent);
  }

  /** What is known at `path`, however old, without asking anyone. */
  known(path: string): Located | undefined {
    let located = this.root();
    for (const name of splitPath(path)) {
      const entry = this.get(located.entry.ino, name);
      if (!entry) return undefined;
      const childPath = located.path === "/" ? `/${name}` : `${located.path}/${name}`;
      located = { path: childPath, parent: located.entry.ino, name, entry };
    }
    return located;
  }

  /** As known(), but the last name as it is promised to be, not as a file shows that was not closed yet. */
  durable(path: string): Located | undefined {
    if (path === "/") return this.root();
    const directory = this.known(parentPath(path));
    const parent = directory?.entry.ino ?? 0;
    const name = baseName(path);
    const entry = directory && this.#state.get(parent, name);
    return entry && { path, parent, name, entry };
  }

  /** Whether the name is of a file that was created and not closed yet. */
  isCreated(parent: number, name: string): boolean {
    return this.#created.get(parent)?.has(name) ?? false;
  }

  /** Sets, or with undefined removes, the name of a file that was created and not closed yet. */
  setCreated(parent: number, name: string, entry: NamespaceEntry | undefined): void {
    this.touch(parent, name);
    const names = this.#created.get(parent);
    if (entry) {
      if (names) names.set(name, entry);
      else this.#created.set(parent, new Map([[name, entry]]));
    } else if (names?.delete(name) && names.size === 0) {
      this.#created.delete(parent);
    }
  }

  /** A durable change of ours: visible at once. Rejects with FsError, with everything as before. */
  mutate(change: StateChange): Promise<void> {
    try {
      this.#assertRoom();
    } catch (error) {
      return Promise.reject(error);
    }
    for (const { parent, name } of change.names ?? []) {
      this.touch(parent, name);
      const names = this.#created.get(parent);
      if (names?.delete(name) && names.size === 0) this.#created.delete(parent);
    }
    return this.#state.mutate(change);
  }

  /** A change of ours together with what the queue is to do for it: both, or as mutate() rejects neither. */
  async carryOut(
    plan: QueuePlan,
    change: Omit<StateChange, "enqueue" | "dequeue" | "removed">,
  ): Promise<void> {
    const { enqueue, dequeue, removed } = plan;
    try {
      await this.mutate({ ...change, enqueue, dequeue, removed });
    } catch (error) {
      plan.rollback();
      throw error;
    }
    plan.commit();
  }

  /** What S3 said: kept, not durable. Throws FsError when it is a listing and memory is full of names. */
  learn(names: readonly NameChange[]): void {
    if (names.length > 1) this.#assertRoom();
    if (names.length > 0) this.#state.learn(names);
  }

  /** Throws FsError when nothing of what S3 says could be kept. */
  observe(): Observation {
    this.#assertRoom();
    const observed: Observed = { names: new Set(), parents: new Set(), keys: new Set() };
    this.#observations.add(observed);
    return {
      startedAt: Date.now(),
      saw: new InoSet(),
      touched: (parent, name) => observed.names.has(`${parent}/${name}`),
      touchedIn: (parent) => observed.parents.has(parent),
      removed: (key) => observed.keys.has(key),
      removedBelow: (prefix) => [...observed.keys].some((key) => key.startsWith(prefix)),
      end: () => void this.#observations.delete(observed),
    };
  }

  /** The directory with this inode number stands where the bucket has an object too. */
  noteHiding(ino: number): void {
    this.#hiding.add(ino);
  }

  /** Whether an object comes to light when the directory goes. */
  isHiding(ino: number): boolean {
    return this.#hiding.has(ino);
  }

  /** The change that gives a directory new times because a name in it changed; undefined when it is gone. */
  touchDirectory(directory: Located, at: Nanoseconds = nowNs()): NameChange | undefined {
    const entry = this.get(directory.parent, directory.name);
    if (entry?.ino !== directory.entry.ino) return undefined;
    const { parent, name } = directory;
    return { parent, name, entry: { ...entry, mtime: at, ctime: at } };
  }

  /** Not for what the queue has done, which has to be recorded, and not for known names that change. */
  #assertRoom(): void {
    const { backlog } = this.#state;
    if (backlog?.isFull !== true) return;
    throw new FsError("EIO", `Cannot keep more names in memory: ${backlog.reason}`);
  }

  nextIno(): number {
    return this.#state.nextIno();
  }

  get state(): MountState {
    return this.#state;
  }

  /** Notes a change of ours, so that listings that began before do not undo it. */
  touch(parent: number, name: string): void {
    if (this.#observations.size === 0) return;
    for (const { names, parents } of this.#observations) {
      names.add(`${parent}/${name}`);
      parents.add(parent);
    }
  }

  /** Notes that we deleted an object, which listings that began before may still show. */
  touchKey(key: string): void {
    for (const { keys } of this.#observations) keys.add(key);
  }
}
