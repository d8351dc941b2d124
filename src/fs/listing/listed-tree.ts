// The keys of a listing as a tree of names.
import { NAME_MAX } from "../../posix/path.ts";
import type { ObjectInfo } from "../../s3/object-store.ts";
import { log } from "../../log.ts";
import { folderOfMarker } from "../namespace/markers.ts";

/** What a listing said of one name. */
export interface ListedNode {
  /** The object at exactly this name. */
  object?: ObjectInfo;
  /** The `name/` object of tools that mark directories. */
  marker?: ObjectInfo;
  /** The `name_$folder$` object of other such tools. */
  folderMarker?: ObjectInfo;
  /** Present when keys lie below: those that were listed. Undefined children of a common prefix stay unknown. */
  children?: Map<string, ListedNode>;
  /** A common prefix: a directory whose inside was not listed. */
  prefix?: true;
  /** All names in it are here: those it lacks are gone. */
  complete?: true;
}

/** Builds a tree from keys relative to one directory; keys that no path can name are counted and left out. */
export class ListedTree {
  readonly root: ListedNode = { children: new Map() };
  #hidden = 0;

  /** Adds the object at `relative` (its key less the directory's own key and slash). */
  add(relative: string, object: ObjectInfo): void {
    if (relative === "") {
      this.root.marker = object;
      return;
    }
    const folder = folderOfMarker(relative, object.size);
    if (folder !== undefined) {
      const node = this.#descend(folder.split("/"));
      if (node) node.folderMarker = object;
      return;
    }
    const isMarker = relative.endsWith("/");
    const names = (isMarker ? relative.slice(0, -1) : relative).split("/");
    const node = this.#descend(names);
    if (!node) return;
    if (isMarker) {
      node.marker = object;
      node.children ??= new Map();
    } else {
      node.object = object;
    }
  }

  /** Adds a common prefix, relative, with its trailing slash. */
  addPrefix(relative: string): void {
    const node = this.#descend(relative.slice(0, -1).split("/"));
    if (node && !node.children) node.prefix = true;
  }

  /** The listing had every key below: all directories are complete. */
  markComplete(): void {
    markComplete(this.root);
  }

  /**
   * The listing was cut behind the key `last`: of a store that lists in order, the directories that it has left are
   * complete, those around the last key are not.
   */
  markLeft(last: string): void {
    markComplete(this.root);
    let node: ListedNode | undefined = this.root;
    for (const name of last.split("/")) {
      if (!node) return;
      delete node.complete;
      node = node.children?.get(name);
    }
  }

  /** Keys that were left out. */
  get hidden(): number {
    return this.#hidden;
  }

  #descend(names: readonly string[]): ListedNode | undefined {
    if (!names.every(isUsableName)) {
      this.#hidden += 1;
      return undefined;
    }
    let node = this.root;
    for (const name of names) {
      node.children ??= new Map();
      let child = node.children.get(name);
      if (!child) {
        child = {};
        node.children.set(name, child);
      }
      node = child;
    }
    return node;
  }
}

function isUsableName(name: string): boolean {
  return (
    name !== "" &&
    name !== "." &&
    name !== ".." &&
    !name.includes("\0") &&
    (name.length <= NAME_MAX / 3 || Buffer.byteLength(name) <= NAME_MAX)
  );
}

function markComplete(node: ListedNode): void {
  if (!node.children) return;
  node.complete = true;
  for (const child of node.children.values()) markComplete(child);
}

/** Whether the name is a directory: an object counts more than a `name_$folder$` beside it, keys below count more than both. */
export function isListedDirectory(node: ListedNode): boolean {
  if (node.children !== undefined || node.prefix === true) return true;
  return node.folderMarker !== undefined && node.object === undefined;
}

/** Whether nothing but a `name_$folder$` object was listed: the object that it stands beside may be on another page. */
export function isFolderMarkerOnly(node: ListedNode): boolean {
  return isListedDirectory(node) && node.children === undefined && node.prefix !== true;
}

const reported = new Set<string>();

/** Says once per directory that keys in it cannot be shown. */
export function reportHidden(path: string, count: number): void {
  if (count === 0 || reported.has(path) || reported.size > 1000) return;
  reported.add(path);
  log.warn(
    '%d keys below %j have empty, ".", ".." or over-long components and are hidden',
    count,
    path,
  );
}

/** Says once per name that an object is hidden by a directory. */
export function reportShadowed(path: string): void {
  if (reported.has(`object ${path}`) || reported.size > 1000) return;
  reported.add(`object ${path}`);
  log.warn("The object at %j is hidden by the directory of the same name", path);
}
