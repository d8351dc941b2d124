// Merges one page of a crawl into the namespace: names that are new or other than known, and names that are gone.
// Listings come in bytewise order, so a page speaks for every key between its bounds. In that order "a-b" comes before
// "a/x", so what lies in a directory may be parted from its neighbours by pages.
import { isDirectory } from "../../posix/stat.ts";
import { joinPath } from "../../posix/path.ts";
import { compareBytewise } from "../../posix/byte-order.ts";
import type { ObjectInfo } from "../../s3/object-store.ts";
import type { KeyRange } from "../../state/mount-state.ts";
import type { NameChange, NamespaceEntry } from "../../state/namespace-entry.ts";
import { includes, includesAll, overlaps } from "../listing/key-range.ts";
import type { Learner } from "../listing/learn.ts";
import { folderMarkerKey } from "../namespace/markers.ts";
import {
  isFolderMarkerOnly,
  isListedDirectory,
  type ListedNode,
  ListedTree,
  reportHidden,
  reportShadowed,
} from "../listing/listed-tree.ts";
import type { Located, Namespace, Observation } from "../namespace/namespace.ts";
import type { TimeSlices } from "./time-slices.ts";

/** A name, and what it stood for until now. */
type Place = Omit<Located, "entry"> & { readonly entry: NamespaceEntry | undefined };

/** A page: all objects in the range, as S3 had them at some time after `seen` began. */
export interface CrawledPage {
  readonly range: KeyRange;
  /** The first `count` are meant. */
  readonly objects: readonly ObjectInfo[];
  /** Their keys without the mount's prefix. */
  readonly relative: readonly string[];
  readonly count: number;
  readonly seen: Observation;
}

export class CrawlMerge {
  readonly #namespace: Namespace;
  readonly #learner: Learner;
  readonly #slices: TimeSlices;
  /** Paths of directories that may be gone, which only the whole crawl can tell. */
  readonly undecided: Set<string>;
  /** Learnt in this slice. */
  #names: NameChange[] = [];
  /** Goes up with each slice: nobody else had a turn while it stays. */
  #slice = 0;

  constructor(
    namespace: Namespace,
    learner: Learner,
    slices: TimeSlices,
    undecided: readonly string[],
  ) {
    this.#namespace = namespace;
    this.#learner = learner;
    this.#slices = slices;
    this.undecided = new Set(undecided);
  }

  async merge(page: CrawledPage): Promise<void> {
    const tree = new ListedTree();
    for (let i = 0; i < page.count; i += 1) {
      const info = page.objects[i];
      if (info) tree.add(page.relative[i] ?? "", info);
    }
    reportHidden("/", tree.hidden);
    try {
      await this.#directory(page, this.#namespace.root(), "", tree.root, undefined);
    } finally {
      this.#flush();
    }
  }

  /** `prefix`: of the keys below. `newIn`: the slice in which the directory came to be: nothing was known of it then. */
  async #directory(
    page: CrawledPage,
    directory: Located,
    prefix: string,
    node: ListedNode | undefined,
    newIn: number | undefined,
  ): Promise<void> {
    const isTold = prefix === "" || overlaps(page.range, prefix);
    if (newIn === undefined && isTold) await this.#sweep(page, directory, prefix, node);
    const parent = directory.entry.ino;
    for (const [name, child] of node?.children ?? []) {
      const pause = this.#pause();
      if (pause) await pause;
      const entry = newIn === this.#slice ? undefined : this.#namespace.get(parent, name);
      const place = { path: joinPath(directory.path, name), parent, name, entry };
      if (isListedDirectory(child)) {
        // no promise for most of them, which are small
        const below = this.#listedDirectory(page, place, `${prefix}${name}/`, child);
        if (below) await below;
      } else if (child.object) this.#listedFile(page, place, prefix + name, child, child.object);
    }
  }

  /** Before others have their turn they see what was learnt. */
  #pause(): Promise<void> | undefined {
    const pause = this.#slices.pause();
    if (!pause) return undefined;
    this.#flush();
    return pause.then(() => {
      this.#slice += 1;
    });
  }

  #flush(): void {
    const names = this.#names;
    this.#names = [];
    this.#namespace.learn(names);
  }

  #listedDirectory(
    page: CrawledPage,
    place: Place,
    prefix: string,
    node: ListedNode,
  ): Promise<void> | undefined {
    const { path, parent, name, entry: known } = place;
    if (node.object) reportShadowed(path);
    const wasThere = known !== undefined && isDirectory(known);
    // the object beside it is on another page
    const isElsewhere = !includes(page.range, prefix.slice(0, -1));
    if (known && !wasThere && isElsewhere && isFolderMarkerOnly(node)) return undefined;
    const isSettled = wasThere && !this.#learner.isTelling(node);
    const entry = isSettled ? known : this.#learner.learnName(place, node, page.seen, this.#names);
    if (!entry || !isDirectory(entry)) return undefined;
    // an object was listed with it, or before on another page
    if (node.object || (known && !wasThere)) this.#namespace.noteHiding(entry.ino);
    this.#mark(page, { path, parent, name, entry }, prefix, node);
    const newIn = wasThere ? undefined : this.#slice;
    return this.#directory(page, { path, parent, name, entry }, prefix, node, newIn);
  }

  #listedFile(
    page: CrawledPage,
    place: Place,
    key: string,
    node: ListedNode,
    object: ObjectInfo,
  ): void {
    const { entry: known } = place;
    if (known && isDirectory(known)) {
      this.#namespace.noteHiding(known.ino);
      // it hides the object while there are keys below, of which other pages tell
      if (!includesAll(page.range, `${key}/`)) {
        this.undecided.add(place.path);
        return;
      }
    } else if (known && this.#learner.isUnchanged(known, object)) return;
    this.#learner.learnName(place, node, page.seen, this.#names);
  }

  /** Forgets names in the range that the page lacks; what is ours stays. */
  async #sweep(
    page: CrawledPage,
    directory: Located,
    prefix: string,
    node: ListedNode | undefined,
  ): Promise<void> {
    const { range, seen } = page;
    const parent = directory.entry.ino;
    for (const [name, entry] of this.#childrenIn(range, parent, prefix)) {
      const pause = this.#pause();
      if (pause) await pause;
      const key = prefix + name;
      if (range.end !== undefined && compareBytewise(key, range.end) > 0) break;
      const listed = node?.children?.get(name);
      if (isDirectory(entry)) {
        if (listed && isListedDirectory(listed)) continue;
        if (!overlaps(range, `${key}/`)) continue;
        await this.#unlistedDirectory(page, directory, `${key}/`, name, listed !== undefined);
      } else if (!listed && includes(range, key) && !seen.touched(parent, name)) {
        this.#flush();
        this.#learner.absent(directory, name, seen);
      }
    }
  }

  async #unlistedDirectory(
    page: CrawledPage,
    directory: Located,
    prefix: string,
    name: string,
    isFile: boolean,
  ): Promise<void> {
    const parent = directory.entry.ino;
    const path = joinPath(directory.path, name);
    const entry = this.#namespace.get(parent, name);
    if (!entry || !isDirectory(entry)) return;
    this.#mark(page, { path, parent, name, entry }, prefix, {});
    const now = this.#namespace.get(parent, name) ?? entry;
    await this.#directory(page, { path, parent, name, entry: now }, prefix, undefined, undefined);
    this.#flush();
    // a folder marker of which this page does not tell
    if (now.folderMarker || this.#namespace.hasChildren(entry.ino)) return;
    if (!includesAll(page.range, prefix)) this.undecided.add(path);
    else if (!isFile && !this.undecided.has(path) && !page.seen.touched(parent, name)) {
      this.#flush();
      this.#learner.absent(directory, name, page.seen);
    }
  }

  /** Whether the directory's marker objects are there, as far as the page can tell. */
  #mark(page: CrawledPage, located: Located, prefix: string, node: ListedNode): void {
    const { parent, name, entry } = located;
    const { marker = false, folderMarker = false, ...rest } = entry;
    const isTold = includes(page.range, prefix);
    const isFolderTold = includes(page.range, folderMarkerKey(prefix.slice(0, -1)));
    const isMarked = isTold ? node.marker !== undefined : marker;
    const isFolderMarked = isFolderTold ? node.folderMarker !== undefined : folderMarker;
    if (isMarked === marker && isFolderMarked === folderMarker) return;
    if (page.seen.touched(parent, name)) return;
    this.#flush();
    const marks = {
      ...(isMarked ? { marker: true } : {}),
      ...(isFolderMarked ? { folderMarker: true } : {}),
    };
    this.#namespace.learn([{ parent, name, entry: { ...rest, ...marks } }]);
  }

  // Children of which the range may tell, and some more at its end.
  *#childrenIn(
    { after }: KeyRange,
    parent: number,
    prefix: string,
  ): Generator<readonly [name: string, entry: NamespaceEntry]> {
    const { state } = this.#namespace;
    const isInside = after !== undefined && after.startsWith(prefix);
    const [from = ""] = isInside ? after.slice(prefix.length).split("/", 1) : [];
    // "a" is before "a-b", and "a/" behind "a-b/x"
    for (let at = 1; at <= from.length; at += 1) {
      const name = from.slice(0, at);
      const entry = (from[at] ?? "") < "/" ? state.get(parent, name) : undefined;
      if (entry) yield [name, entry];
    }
    yield* state.children(parent, from);
  }
}
