import { FsError } from "../../posix/errno.ts";
import { joinPath } from "../../posix/path.ts";
import { FileType, type Stat } from "../../posix/stat.ts";
import { ROOT_NODEID } from "./abi.ts";
import { Node } from "./node.ts";

// "/" is the mount's root whatever object the core keeps for it
const rootStat = { ino: 1, generation: 0, mode: FileType.directory } as Stat;

/**
 * nodeid <-> path. Paths are found by walking the parents, so that a rename moves a whole subtree at once. A node lives
 * while the kernel looks at it (nlookup), or it has open files, children or a pending open; ids are never used again.
 * Everything here is synchronous: after an await, callers look names up again.
 */
export class NodeTable {
  readonly root = new Node(ROOT_NODEID, undefined, "", rootStat);
  readonly #nodes = new Map<number, Node>();
  #lastNodeid = ROOT_NODEID;
  /** Where idle() goes on: at older nodes first. */
  #cursor: Iterator<Node> = this.#nodes.values();
  /** Called after a node was made. */
  onCreate: () => void = () => {};

  constructor() {
    this.root.attached = true;
    this.#nodes.set(ROOT_NODEID, this.root);
  }

  /** Nodes alive, the root included. */
  get size(): number {
    return this.#nodes.size;
  }

  /** Nodes ever made: the highest nodeid. */
  get made(): number {
    return this.#lastNodeid;
  }

  /** Up to `count` nodeids that nothing here needs but the kernel may; another call goes on behind them, and in the end anew. */
  idle(count: number): number[] {
    const found: number[] = [];
    for (let looked = this.#nodes.size; looked > 0 && found.length < count; looked -= 1) {
      const { value: node, done } = this.#cursor.next() as IteratorResult<Node, undefined>;
      if (done === true) this.#cursor = this.#nodes.values();
      else if (node !== this.root && isIdle(node)) found.push(node.nodeid);
    }
    return found;
  }

  /** ESTALE for an id that is not alive. */
  get(nodeid: number): Node {
    const node = this.#nodes.get(nodeid);
    if (node === undefined) throw new FsError("ESTALE", `Cannot find nodeid ${nodeid}`);
    return node;
  }

  /** The path by which the core knows the node, of a detached one the path of its name; ESTALE when the name is gone. */
  path(node: Node): string {
    if (node === this.root) return "/";
    let path = "";
    for (let at = node; at !== this.root;) {
      const { parent } = at;
      // a file may be on its way back to its name, a directory above it may not
      if (parent === undefined || (!at.attached && at !== node)) {
        throw new FsError("ESTALE", `Cannot reach "${at.name}": its name is gone`);
      }
      path = `/${at.name}${path}`;
      at = parent;
    }
    return path;
  }

  childPath(parent: Node, name: string): string {
    return joinPath(this.path(parent), name);
  }

  /** The attached node at `path`, if the kernel knows it. */
  find(path: string): Node | undefined {
    let node: Node | undefined = this.root;
    for (const name of path.split("/")) {
      if (name !== "") node = node?.children.get(name);
    }
    return node;
  }

  /** Makes `name` stand for the object of `stat`: the node it has, one it had before, or a new one; what it stood for is detached. */
  bind(parent: Node, name: string, stat: Stat): Node {
    const current = parent.children.get(name);
    if (current?.is(stat) === true) return current;
    if (current !== undefined) this.#detach(current);
    const node = this.formerNode(parent, name, stat) ?? this.#create(parent, name, stat);
    this.#attach(node, parent, name);
    return node;
  }

  /** A detached node of this name for the object of `stat`, if there is one. */
  formerNode(parent: Node, name: string, stat: Stat): Node | undefined {
    for (const node of parent.former.get(name) ?? []) if (node.is(stat)) return node;
    return undefined;
  }

  /** Whether someone writes, or is about to, what the name will stand for later: nobody may keep an answer about it until then. */
  isContested(parent: Node, name: string): boolean {
    const nodes = parent.former.size === 0 ? undefined : parent.former.get(name);
    for (const node of nodes ?? []) if (node.stashes > 0 || node.isWrittenTo) return true;
    return false;
  }

  /** A new node that has a name, but that the name does not stand for (yet). */
  createDetached(parent: Node, name: string, stat: Stat): Node {
    const node = this.#create(parent, name, stat);
    this.#rememberFormer(node, parent, name);
    return node;
  }

  /** The name was found absent: its node may come back when the name does. */
  loseName(parent: Node, name: string): void {
    const node = parent.children.get(name);
    if (node !== undefined) this.#detach(node);
  }

  /** The name was removed for good. */
  removeName(parent: Node, name: string): void {
    noteChange(parent, name);
    const node = parent.children.get(name);
    if (node === undefined) return;
    parent.children.delete(name);
    node.attached = false;
    node.parent = undefined;
    this.collect(node);
    this.collect(parent);
  }

  /** What rename(2) did: the source's node, with everything below it, takes the new name. */
  rename(from: Node, fromName: string, to: Node, toName: string): void {
    noteChange(from, fromName);
    noteChange(to, toName);
    const node = from.children.get(fromName);
    if (node !== undefined && node === to.children.get(toName)) return;
    this.removeName(to, toName);
    this.#moveFormer(from, fromName, to, toName);
    if (node === undefined) return;
    from.children.delete(fromName);
    this.#attach(node, to, toName);
    this.collect(from);
  }

  /** What RENAME_EXCHANGE did. */
  exchange(from: Node, fromName: string, to: Node, toName: string): void {
    noteChange(from, fromName);
    noteChange(to, toName);
    const one = from.children.get(fromName);
    const other = to.children.get(toName);
    from.children.delete(fromName);
    to.children.delete(toName);
    if (one !== undefined) this.#attach(one, to, toName);
    if (other !== undefined) this.#attach(other, from, fromName);
  }

  /** The kernel dropped `count` references; an unknown id is ignored, as the kernel may know it longer than we do. */
  forget(nodeid: number, count: number): void {
    const node = this.#nodes.get(nodeid);
    if (node === undefined) return;
    node.nlookup = Math.max(0, node.nlookup - count);
    this.collect(node);
  }

  /** Frees the node if nothing holds it, then its parents likewise. */
  collect(start: Node): void {
    let node: Node | undefined = start;
    while (node !== undefined && node !== this.root && isUnused(node)) {
      const parent: Node | undefined = node.parent;
      // freed before: a former child may outlive it, and its name may be another's by now
      if (!this.#nodes.delete(node.nodeid)) return;
      if (parent === undefined) return;
      if (node.attached) parent.children.delete(node.name);
      else forgetFormer(node, parent);
      node = parent;
    }
  }

  #create(parent: Node, name: string, stat: Stat): Node {
    const node = new Node(++this.#lastNodeid, parent, name, stat);
    this.#nodes.set(node.nodeid, node);
    this.onCreate();
    return node;
  }

  #attach(node: Node, parent: Node, name: string): void {
    if (!node.attached && node.parent !== undefined) forgetFormer(node, node.parent);
    node.parent = parent;
    node.name = name;
    node.attached = true;
    parent.children.set(name, node);
  }

  #detach(node: Node): void {
    const { parent, name } = node;
    if (parent === undefined) return;
    parent.children.delete(name);
    node.attached = false;
    this.#rememberFormer(node, parent, name);
    noteChange(parent, name);
    this.collect(node);
  }

  #rememberFormer(node: Node, parent: Node, name: string): void {
    const nodes = parent.former.get(name);
    if (nodes === undefined) parent.former.set(name, new Set([node]));
    else nodes.add(node);
  }

  #moveFormer(from: Node, fromName: string, to: Node, toName: string): void {
    for (const node of from.former.get(fromName) ?? []) {
      node.parent = to;
      node.name = toName;
      this.#rememberFormer(node, to, toName);
    }
    from.former.delete(fromName);
  }
}

function isUnused(node: Node): boolean {
  return node.nlookup === 0 && isIdle(node);
}

function isIdle(node: Node): boolean {
  return (
    node.stashes === 0 &&
    node.files.size === 0 &&
    node.directories.size === 0 &&
    node.children.size === 0
  );
}

function forgetFormer(node: Node, parent: Node): void {
  const nodes = parent.former.get(node.name);
  nodes?.delete(node);
  if (nodes?.size === 0) parent.former.delete(node.name);
}

// a listing that was taken before must not bring the old object back (READDIRPLUS)
function noteChange(parent: Node, name: string): void {
  for (const directory of parent.directories) directory.touched.add(name);
}
