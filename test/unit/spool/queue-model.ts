// The queue's graph, plans and completions against a model: a bucket, a journal, names, and crashes at any moment.
import { completionOf, type DoneOutcome } from "../../../src/spool/completion.ts";
import { begin, type Operation } from "../../../src/spool/operation.ts";
import { GraphPlan } from "../../../src/spool/queue-plan.ts";
import { QueueGraph } from "../../../src/spool/queue-graph.ts";
import type { QueuePlan } from "../../../src/spool/spool.ts";
import type { StateChange } from "../../../src/state/mount-state.ts";
import type { QueueRecord } from "../../../src/state/queue-record.ts";
import { applyNames, type Entry, ModelBucket } from "./model-bucket.ts";
import { noRemoved, withoutDelay } from "./memory-state.ts";
import { modelEvents } from "./model-events.ts";
import type { Random } from "../../support/random.ts";

interface OpenChange {
  readonly change: StateChange;
  readonly names: ReadonlyMap<string, Entry | undefined>;
  readonly durable: () => void;
  readonly failed: () => void;
}

/**
 * Names change at once, the journal and the durable names when a change settles; changes settle in order, and when one
 * fails all that were made by then fail with it, as the state's journal does.
 */
export class QueueModel {
  readonly trace: string[] = [];
  readonly #bucket = new ModelBucket();
  readonly #random: Random;
  readonly #keys: readonly string[];
  readonly #describes: boolean;
  #durable = new Map<string, Entry>();
  #visible = new Map<string, Entry>();
  readonly #journal = new Map<number, QueueRecord>();
  #open: OpenChange[] = [];
  #graph = new QueueGraph();
  #files = new Map<string, number>();
  #done = new Map<Operation, DoneOutcome>();
  #seq = 1;
  readonly #completing = new Set<Operation>();

  /** `describes`: names get new metadata, too. */
  constructor(random: Random, keys: readonly string[], describes = false) {
    this.#describes = describes;
    this.#random = random;
    this.#keys = keys;
    for (const key of keys) {
      if (random.chance(50)) continue;
      const etag = this.#bucket.create(key);
      this.#bucket.objects.set(key, etag);
      this.#bucket.metadata.set(key, etag);
      this.#durable.set(key, { key, etag, says: etag, isPending: false });
    }
    this.#visible = new Map(this.#durable);
  }

  /** One random thing happens. */
  step(): void {
    const dice = this.#random.integer(100);
    if (dice < 12) this.#write(this.#random.pick(this.#keys));
    else if (dice < 18) this.#unlink();
    else if (this.#describes && dice < 26) this.#describe();
    else if (dice < 36) this.#rename();
    else if (dice < 55) this.#startOne();
    else if (dice < 74) this.#finishOne();
    else if (dice < 97) this.#settle(this.#random.integer(this.#open.length + 1), dice >= 94);
    else this.#crash();
    this.#check();
  }

  /** Everything runs to its end. */
  drain(): void {
    for (let turn = 0; turn < 10_000; turn++) {
      this.#settle(this.#open.length, false);
      this.#check();
      const busy = this.#startOne() || this.#finishOne();
      if (!busy && this.#graph.size === 0 && this.#open.length === 0) return;
      if (!busy && this.#open.length === 0) throw new Error("the queue is stuck");
    }
    throw new Error("the queue does not end");
  }

  /** What the bucket holds, and what it should. */
  result(): {
    bucket: Record<string, string | undefined>;
    names: Record<string, string | undefined>;
    metadata: Record<string, string>;
    said: Record<string, string>;
  } {
    const names = [...this.#visible].map(([name, entry]): [string, string] => {
      if (!("key" in entry) || entry.key !== name) throw new Error(`${name} is not at its key`);
      return [name, entry.etag];
    });
    return {
      bucket: this.#bucket.contents(this.#bucket.objects),
      names: this.#bucket.contents(names),
      metadata: Object.fromEntries(this.#bucket.metadata),
      said: Object.fromEntries([...this.#visible].map(([name, { says }]) => [name, says])),
    };
  }

  #write(name: string): void {
    const staged = this.#bucket.create(name);
    this.#files.set(staged, 0);
    const over = this.#isAtKey(name);
    const entry = { staged, over, says: staged, isPending: true };
    this.#plan(`write ${name}`, [[name, entry]], (plan) => {
      plan.put({ key: name, staged, size: 1, inBucket: over, metadata: { says: staged } });
    });
  }

  #describe(): void {
    const name = this.#random.pick(this.#keys);
    const entry = this.#visible.get(name);
    if (entry === undefined) return;
    const says = this.#bucket.create(name);
    this.#plan(`describe ${name}`, [[name, { ...entry, says, isPending: true }]], (plan) => {
      plan.describe({ key: name, etag: "etag" in entry ? entry.etag : "", size: 1 }, { says });
    });
  }

  #unlink(): void {
    const name = this.#random.pick(this.#keys);
    if (!this.#visible.has(name)) return;
    this.#plan(`unlink ${name}`, [[name, undefined]], (plan) => {
      plan.delete(name, this.#isAtKey(name));
    });
  }

  #rename(): void {
    const from = this.#random.pick(this.#keys);
    const to = this.#random.pick(this.#keys);
    const entry = this.#visible.get(from);
    if (entry === undefined || from === to) return;
    const inBucket = this.#isAtKey(to);
    const isAtKey = this.#isAtKey(from);
    const moved = "staged" in entry ? { ...entry, over: inBucket } : entry;
    this.#plan(
      `rename ${from} ${to}`,
      [
        [from, undefined],
        [to, moved],
      ],
      (plan) => {
        const makeRoom = (): void => plan.delete(from, isAtKey);
        if ("staged" in entry) {
          makeRoom();
          const metadata = { says: entry.says };
          plan.put({ key: to, staged: entry.staged, size: 1, inBucket, metadata });
          return;
        }
        // the name's own key is not where its bytes are: a copy to it still waits, or runs
        const isPending = entry.key !== from;
        const deleteFirst = this.#random.chance(50);
        if (isPending && deleteFirst) makeRoom();
        const metadata = entry.isPending ? { metadata: { says: entry.says } } : {};
        plan.move({ ...entry, size: 1 }, { key: to, inBucket, ...metadata });
        if (isPending && !deleteFirst) makeRoom();
      },
    );
  }

  #plan(
    what: string,
    names: readonly [string, Entry | undefined][],
    make: (plan: QueuePlan) => void,
  ): void {
    const plan = this.#newPlan();
    make(plan);
    const { enqueue, dequeue } = plan;
    this.#say(`${what}: +${JSON.stringify(enqueue)} -${JSON.stringify(dequeue)}`);
    this.#mutate({ enqueue, dequeue }, new Map(names), {
      durable: () => plan.commit(),
      failed: () => plan.rollback(),
    });
  }

  #newPlan(): QueuePlan {
    const graph = this.#graph;
    return new GraphPlan({
      graph,
      files: { retain: (id) => void this.#files.set(id, (this.#files.get(id) ?? 0) + 1) },
      ...withoutDelay,
      nextSeq: () => this.#seq++,
      committed: (_added, cancelled) => {
        for (const operation of cancelled) {
          if (operation.removed) continue;
          graph.remove(operation);
          this.#letGo(operation.record);
        }
      },
      rolledBack: (added) => {
        for (const operation of added) {
          graph.remove(operation);
          // as the spool does: the planner still has the file
          const { record } = operation;
          if (record.kind === "put") this.#files.set(record.staged, this.#refs(record.staged) - 1);
        }
      },
    });
  }

  #letGo(record: QueueRecord): void {
    if (record.kind !== "put") return;
    const left = this.#refs(record.staged) - 1;
    if (left > 0) this.#files.set(record.staged, left);
    else this.#files.delete(record.staged);
  }

  #startOne(): boolean {
    const ready = [...this.#graph.operations()].filter((operation) =>
      this.#graph.isReady(operation),
    );
    if (ready.length === 0) return false;
    const operation = this.#random.pick(ready);
    begin(operation);
    this.#say(`start ${operation.seq}`);
    return true;
  }

  /** A running operation fails, with or without effect, or is done in S3 and asks for its change. */
  #finishOne(): boolean {
    const running = [...this.#graph.operations()].filter(
      (operation) => operation.running && !this.#completing.has(operation),
    );
    if (running.length === 0) return false;
    const operation = this.#random.pick(running);
    const known = this.#done.get(operation);
    if (known === undefined && this.#random.chance(20)) {
      if (this.#random.chance(50)) this.#apply(operation.record);
      operation.running = false;
      this.#say(`fail ${operation.seq}`);
      return true;
    }
    const outcome = known ?? this.#apply(operation.record);
    this.#done.set(operation, outcome);
    const names = new Map<string, Entry | undefined>();
    const events = modelEvents(this.#visible, names);
    const { change } = completionOf(noRemoved, this.#graph, events, operation, outcome);
    this.#say(`done ${operation.seq} ${JSON.stringify([...names])}`);
    this.#completing.add(operation);
    this.#mutate(change, names, {
      durable: () => {
        this.#completing.delete(operation);
        this.#graph.remove(operation);
        this.#letGo(operation.record);
      },
      failed: () => void this.#completing.delete(operation),
    });
    return true;
  }

  #apply(record: QueueRecord): DoneOutcome {
    if (record.kind === "put" && !this.#files.has(record.staged)) {
      throw new Error(`staged file ${record.staged} is gone`);
    }
    return this.#bucket.apply(record);
  }

  #mutate(
    change: StateChange,
    names: ReadonlyMap<string, Entry | undefined>,
    then: { durable: () => void; failed: () => void },
  ): void {
    applyNames(this.#visible, names);
    this.#open.push({ change, names, ...then });
  }

  /** The first `count` open changes become durable; then, if `fail`, the others do not. */
  #settle(count: number, fail: boolean): void {
    for (const { change, names, durable } of this.#open.splice(0, count)) {
      for (const { seq, record } of change.enqueue ?? []) this.#journal.set(seq, record);
      for (const seq of change.dequeue ?? []) this.#journal.delete(seq);
      applyNames(this.#durable, names);
      this.#say("durable");
      durable();
    }
    if (!fail || this.#open.length === 0) return;
    const lost = this.#open;
    this.#open = [];
    this.#visible = new Map(this.#durable);
    for (const { failed } of lost) failed();
    this.#say(`${lost.length} changes failed`);
    // what was accepted meanwhile, by the failure of the others
    for (const { names } of this.#open) applyNames(this.#visible, names);
  }

  #crash(): void {
    this.#say("crash");
    for (const operation of this.#graph.operations()) {
      const isOpen = operation.running && !this.#done.has(operation);
      if (isOpen && this.#random.chance(50)) this.#apply(operation.record);
    }
    this.#open = [];
    this.#done.clear();
    this.#completing.clear();
    this.#visible = new Map(this.#durable);
    this.#graph = new QueueGraph();
    const files = new Map<string, number>();
    for (const [seq, record] of [...this.#journal].sort(([a], [b]) => a - b)) {
      this.#graph.add({ seq, record, over: true });
      if (record.kind !== "put") continue;
      if (!this.#files.has(record.staged))
        throw new Error(`${record.staged} was deleted too early`);
      files.set(record.staged, (files.get(record.staged) ?? 0) + 1);
    }
    this.#files = files;
  }

  /** Every name can be read at every moment, of this run and of the next. */
  #check(): void {
    for (const names of [this.#visible, this.#durable]) {
      for (const [name, entry] of names) {
        if ("staged" in entry) {
          if (!this.#files.has(entry.staged)) throw new Error(`${name} lost its staged file`);
        } else {
          // a copy that was repeated after its journal entry got lost has another etag and the same content
          const found = this.#bucket.content(this.#bucket.objects.get(entry.key));
          if (found !== this.#bucket.content(entry.etag)) throw new Error(`${name} lost its bytes`);
        }
      }
    }
  }

  #isAtKey(name: string): boolean {
    const entry = this.#visible.get(name);
    if (entry === undefined) return false;
    return "key" in entry ? entry.key === name : entry.over;
  }

  #refs(staged: string): number {
    return this.#files.get(staged) ?? 0;
  }

  #say(what: string): void {
    this.trace.push(what);
  }
}
