// One opendir(3) where attributes are in the objects (--metadata=object): those of a page are asked for side by side.
import { log } from "../../log.ts";
import { joinPath } from "../../posix/path.ts";
import { isDirectory } from "../../posix/stat.ts";
import type { NamespaceEntry } from "../../state/namespace-entry.ts";
import type { Describer } from "./describer.ts";
import type { CallContext, DirectoryEntry, DirectoryHandle, Entry } from "../file-system.ts";
import type { Located, Namespace } from "../namespace/namespace.ts";
import { untilAborted } from "../until-aborted.ts";

/** Entries asked for before a reply; their requests wait for free slots of the store's. */
const BATCH = 64;

/** What shows an entry, a file that is being written included. */
type Show = (entry: NamespaceEntry) => Entry;

export class DescribedDirectory implements DirectoryHandle {
  readonly #directory: Located;
  readonly #reader: DirectoryHandle;
  readonly #parts: {
    readonly namespace: Namespace;
    readonly describer: Describer;
    readonly show: Show;
  };
  /** What the reader gave last, from position `start` on. */
  #page: { readonly start: number; readonly entries: readonly DirectoryEntry[] } | undefined;

  constructor(
    directory: Located,
    reader: DirectoryHandle,
    parts: { readonly namespace: Namespace; readonly describer: Describer; readonly show: Show },
  ) {
    this.#directory = directory;
    this.#reader = reader;
    this.#parts = parts;
  }

  async read(
    offset: number,
    context: CallContext,
    plus = true,
  ): Promise<readonly DirectoryEntry[]> {
    const entries = await this.#from(offset, context);
    if (!plus) return entries.map((listed) => this.#nameOnly(listed));
    const batch = this.#describedAll(entries.slice(0, BATCH));
    // who wants a second page of attributes wants all: the next one is asked for meanwhile; it never rejects
    if (offset > 0) void this.#describedAll(entries.slice(BATCH, 2 * BATCH));
    return untilAborted(batch, context.signal);
  }

  fsync(context: CallContext): ReturnType<DirectoryHandle["fsync"]> {
    return this.#reader.fsync(context);
  }

  release(): void {
    this.#reader.release();
  }

  async #from(offset: number, context: CallContext): Promise<readonly DirectoryEntry[]> {
    const { start, entries } = this.#page ?? { start: 0, entries: [] };
    const at = offset - start;
    // from the start on it is another listing
    if (offset > 0 && at >= 0 && at < entries.length) return entries.slice(at);
    const page = await this.#reader.read(offset, context);
    this.#page = { start: offset, entries: page };
    return page;
  }

  #describedAll(page: readonly DirectoryEntry[]): Promise<DirectoryEntry[]> {
    return Promise.all(page.map((listed) => this.#described(listed)));
  }

  async #described(listed: DirectoryEntry): Promise<DirectoryEntry> {
    const { describer, show } = this.#parts;
    const { name } = listed;
    const entry = this.#entry(name);
    if (!entry) return listed;
    if (describer.knows(entry)) return { name, ...show(entry) };
    const { path, entry: directory } = this.#directory;
    const located = { path: joinPath(path, name), parent: directory.ino, name, entry };
    try {
      await describer.ask(located);
    } catch (error) {
      log.debug("Cannot tell the attributes of %j: %s", located.path, error);
    }
    const now = this.#entry(name);
    return now && describer.knows(now) ? { name, ...show(now) } : unknownType(listed);
  }

  /** Without a type where it is not known yet: no object is asked for it. */
  #nameOnly(listed: DirectoryEntry): DirectoryEntry {
    const entry = this.#entry(listed.name);
    const isKnown = !entry || isDirectory(entry) || this.#parts.describer.knows(entry);
    return isKnown ? listed : unknownType(listed);
  }

  #entry(name: string): NamespaceEntry | undefined {
    return this.#parts.namespace.get(this.#directory.entry.ino, name);
  }
}

/** DT_UNKNOWN: the reader asks by itself. */
function unknownType({ name, stat }: DirectoryEntry): DirectoryEntry {
  return { name, stat: { ...stat, mode: 0 }, validMs: 0 };
}
