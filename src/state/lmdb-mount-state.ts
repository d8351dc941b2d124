// MountState over two LMDB files: the journal for what was promised, the index for what can be asked again.
import { compareBytewise } from "../posix/byte-order.ts";
import { FsError } from "../posix/errno.ts";
import { isBelowOrEqual } from "../posix/path.ts";
import { MAX_KEY_BYTES } from "../lmdb/environment.ts";
import { PARENT_BYTES } from "./index-key.ts";
import { IndexWriter } from "./index-writer.ts";
import type { Journal, JournalWrite } from "./journal.ts";
import type { MountState, NameBacklog, NameCoverage, StateChange } from "./mount-state.ts";
import type { IndexMeta, NameIndex } from "./name-index.ts";
import { type NameCell, NameOverlay } from "./name-overlay.ts";
import type { LocalAttributes, NameChange, NamespaceEntry } from "./namespace-entry.ts";
import { Overlay, type OverlayCell } from "./overlay.ts";
import type { QueueRecord } from "./queue-record.ts";
import { RecordWriter } from "./record-writer.ts";
import { encodeNameChanges } from "./redo-codec.ts";
import { RemovedOverlay } from "./removed-overlay.ts";

// Numbers are reserved in the journal by steps: every commit leaves this many of them in hand.
const RESERVE = 4096;
const LEARN_STEP = 1024;
const FIRST_CHUNK = 16;
const LARGEST_CHUNK = 1024;

/** What opening found: both files open and in step with each other. */
export interface OpenedState {
  readonly journal: Journal;
  readonly index: NameIndex;
  readonly indexMeta: IndexMeta;
  readonly nextIno: number;
  readonly nextSeq: number;
  readonly rebuilt: boolean;
}

type AttributeCell = OverlayCell<string, LocalAttributes>;

/**
 * A change goes through three places: the overlays in memory at once (which is what readers see first), the journal
 * (then it is promised), the index (then the overlay lets go of it).
 */
export class LmdbMountState implements MountState {
  readonly rebuilt: boolean;
  readonly removed: RemovedOverlay;
  private readonly journal: Journal;
  private readonly index: NameIndex;
  private readonly indexWriter: IndexWriter;
  private readonly names = new NameOverlay();
  private readonly attributes = new Overlay<string, LocalAttributes>();
  private readonly recordWriter = new RecordWriter();
  private readonly lastSeqAtStart: number;
  private ino: number;
  private inoLimit: number;
  private seq: number;
  private seqLimit: number;
  private redoSeq: number;
  private covered: NameCoverage | undefined;
  private closed = false;

  constructor(opened: OpenedState) {
    this.rebuilt = opened.rebuilt;
    this.journal = opened.journal;
    this.removed = new RemovedOverlay(opened.journal.removed);
    this.index = opened.index;
    this.lastSeqAtStart = opened.journal.lastQueueSeq();
    this.ino = opened.nextIno;
    this.inoLimit = opened.nextIno;
    this.seq = opened.nextSeq;
    this.seqLimit = opened.nextSeq;
    this.redoSeq = Math.max(opened.journal.lastRedoSeq(), opened.indexMeta.applied);
    this.covered = opened.indexMeta.coverage;
    this.journal.setApplied(opened.indexMeta.applied);
    this.indexWriter = new IndexWriter({
      index: opened.index,
      overlay: this.names,
      meta: opened.indexMeta,
      nextIno: () => this.ino,
      onApplied: (seq) => this.journal.setApplied(seq),
    });
  }

  get(parent: number, name: string): NamespaceEntry | undefined {
    const pending = this.names.get(parent, name);
    return pending === undefined ? this.index.get(parent, name) : pending.value;
  }

  // What is pending is taken at the start, the rest chunk by chunk as the iteration goes on.
  *children(
    parent: number,
    behind?: string,
  ): Generator<readonly [name: string, entry: NamespaceEntry]> {
    const pending = this.names.sorted(parent, behind);
    let next = 0;
    let after = behind;
    for (let limit = FIRST_CHUNK; ; limit = Math.min(limit * 4, LARGEST_CHUNK)) {
      const chunk = this.index.chunk(parent, after, limit);
      for (const [name, entry] of chunk) {
        let covered = false;
        for (let cell = pending[next]; cell !== undefined; cell = pending[next]) {
          const order = compareBytewise(cell.key, name);
          if (order > 0) break;
          if (cell.value !== undefined) yield [cell.key, cell.value];
          next++;
          covered = order === 0;
        }
        if (!covered) yield [name, entry];
        after = name;
      }
      if (chunk.length < limit) break;
    }
    for (; next < pending.length; next++) {
      const cell = pending[next];
      if (cell?.value !== undefined) yield [cell.key, cell.value];
    }
  }

  hasChildren(parent: number): boolean {
    for (const _ of this.children(parent)) return true;
    return false;
  }

  // Not async: what can be told at once is thrown into the promise, and the rest has happened when the call returns.
  mutate(change: StateChange): Promise<void> {
    try {
      this.checkOpen();
      for (const { name } of change.names ?? []) checkKey(name);
    } catch (error) {
      return Promise.reject(error);
    }
    const nameCells = (change.names ?? []).map((name) => this.names.set(name));
    const attributeCells = this.stageAttributes(change);
    const removed = change.removed?.length ? this.removed.stage(change.removed) : undefined;
    const redo = this.encodeRedo(change.names);
    const step = this.indexWriter.add({ cells: nameCells, redoSeq: redo?.seq, state: "waiting" });
    this.reserve();
    const committed = this.journal.append({
      ...(redo === undefined ? {} : { redo }),
      attributes: attributeCells.map(({ key, value }) => ({ path: key, attributes: value })),
      enqueue: change.enqueue ?? [],
      dequeue: change.dequeue ?? [],
      ...(removed ? { removed: removed.write } : {}),
    });
    return committed.then(
      () => {
        for (const cell of attributeCells) this.attributes.settle(cell);
        for (const cell of removed?.cells ?? []) this.removed.settle(cell);
        this.indexWriter.ready(step);
      },
      (error: unknown) => {
        this.undo(nameCells, attributeCells);
        for (const cell of removed?.cells ?? []) this.removed.undo(cell);
        this.indexWriter.cancel(step);
        throw error;
      },
    );
  }

  learn(names: readonly NameChange[]): void {
    if (this.closed) return;
    for (let start = 0; start < names.length; start += LEARN_STEP) {
      const part = names.slice(start, start + LEARN_STEP).filter(({ name }) => fitsKey(name));
      const cells = part.map((change) => this.names.set(change));
      this.indexWriter.add({ cells, redoSeq: undefined, state: "ready" });
    }
  }

  room(): Promise<void> | undefined {
    return this.indexWriter.room();
  }

  get backlog(): NameBacklog | undefined {
    return this.indexWriter.backlog;
  }

  get coverage(): NameCoverage | undefined {
    return this.covered;
  }

  cover(coverage: NameCoverage | undefined): void {
    if (this.closed || (coverage === undefined && this.covered === undefined)) return;
    this.covered = coverage;
    this.indexWriter.add({ cells: [], redoSeq: undefined, coverage, state: "ready" });
  }

  localAttributes(path: string): LocalAttributes | undefined {
    const pending = this.attributes.get(path);
    return pending === undefined ? this.journal.attributesOf(path) : pending.value;
  }

  nextIno(): number {
    return this.ino++;
  }

  nextSeq(): number {
    return this.seq++;
  }

  *pending(): Generator<{ seq: number; record: QueueRecord }> {
    for (const found of this.journal.queueRecords()) {
      if (found.seq > this.lastSeqAtStart) return;
      yield found;
    }
  }

  async sync(): Promise<void> {
    await this.journal.idle();
    if (!(await this.indexWriter.drain())) {
      throw new FsError("EIO", "Cannot write the index of names");
    }
    await this.index.sync();
  }

  async close(): Promise<void> {
    if (this.closed) return;
    this.closed = true;
    await this.journal.idle();
    try {
      if (await this.indexWriter.drain()) {
        await this.index.sync();
        this.journal.updateMeta({ indexClosed: true, inoLimit: this.ino, seqLimit: this.seq });
        await this.journal.append(nothing);
      }
    } finally {
      await this.index.close();
      await this.journal.close();
    }
  }

  private checkOpen(): void {
    if (this.closed) throw new FsError("EIO", "Cannot change names: the state is closed");
  }

  private undo(nameCells: readonly NameCell[], attributeCells: readonly AttributeCell[]): void {
    for (const cell of nameCells) this.names.undo(cell);
    for (const cell of attributeCells) this.attributes.undo(cell);
  }

  private encodeRedo(names: readonly NameChange[] = []): JournalWrite["redo"] | undefined {
    if (names.length === 0) return undefined;
    return { seq: ++this.redoSeq, record: encodeNameChanges(this.recordWriter, names) };
  }

  /** Moves happen first, so that attributes given for a new path win over those that came with it. */
  private stageAttributes(change: StateChange): AttributeCell[] {
    const cells: AttributeCell[] = [];
    for (const { from, to } of change.moveAttributes ?? []) {
      if (from === to) continue;
      // what stood at the target was replaced
      for (const path of this.attributedPaths(to)) cells.push(this.attributes.set(path, undefined));
      for (const path of this.attributedPaths(from)) {
        const moved = this.localAttributes(path);
        cells.push(this.attributes.set(path, undefined));
        cells.push(this.attributes.set(to + path.slice(from.length), moved));
      }
    }
    for (const { path, attributes } of change.attributes ?? []) {
      cells.push(this.attributes.set(path, attributes));
    }
    return cells;
  }

  private attributedPaths(root: string): Set<string> {
    const paths = new Set<string>();
    for (const { path } of this.journal.attributesBelow(root)) paths.add(path);
    for (const { key } of this.attributes.values()) {
      if (isBelowOrEqual(key, root)) paths.add(key);
    }
    for (const path of paths) {
      if (this.localAttributes(path) === undefined) paths.delete(path);
    }
    return paths;
  }

  /** Whatever becomes durable has its numbers below the limits that become durable with it. */
  private reserve(): void {
    if (this.ino < this.inoLimit && this.seq < this.seqLimit) return;
    this.inoLimit = this.ino + RESERVE;
    this.seqLimit = this.seq + RESERVE;
    this.journal.updateMeta({ inoLimit: this.inoLimit, seqLimit: this.seqLimit });
  }
}

const nothing: JournalWrite = { attributes: [], enqueue: [], dequeue: [] };

// three bytes for each UTF-16 unit at most
function fitsKey(name: string): boolean {
  const room = MAX_KEY_BYTES - PARENT_BYTES;
  return name.length * 3 <= room || Buffer.byteLength(name) <= room;
}

function checkKey(name: string): void {
  if (!fitsKey(name)) throw new FsError("ENAMETOOLONG", "Cannot keep a name of that length");
}
