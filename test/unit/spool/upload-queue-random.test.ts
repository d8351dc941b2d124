import { afterEach, beforeEach, expect, test } from "vitest";
import { setLogSink } from "../../../src/log.ts";
import type { ObjectPlace } from "../../../src/spool/spool.ts";
import { Random } from "../../support/random.ts";
import { s3Error } from "./memory-store.ts";
import { QueueBench } from "./queue-bench.ts";

let bench: QueueBench;

beforeEach(async () => {
  setLogSink(() => undefined, "plain");
  bench = await QueueBench.open({ multipartThreshold: 40, partSize: 10, concurrency: 3 });
});

afterEach(async () => {
  await bench.close();
  setLogSink((line) => process.stderr.write(line), "plain");
});

type Entry = { staged: string; text: string } | (ObjectPlace & { text: string });

/** Names that follow the queue as the file system core does. */
class Names {
  readonly entries = new Map<string, Entry>();

  attach(): void {
    const moved = (name: string, was: ObjectPlace, now: ObjectPlace): [] => {
      const entry = this.entries.get(name);
      if (entry && "key" in entry && entry.key === was.key && entry.etag === was.etag) {
        this.entries.set(name, { ...now, text: entry.text });
      }
      return [];
    };
    bench.events.relocated = moved;
    bench.events.copied = (record, etag) =>
      moved(record.to, { key: record.from, etag: record.etag }, { key: record.to, etag });
    bench.events.uploaded = ({ key, staged }, etag) => {
      const entry = this.entries.get(key);
      if (entry && "staged" in entry && entry.staged === staged) {
        this.entries.set(key, { key, etag, text: entry.text });
      }
      return [];
    };
    bench.events.copyFailed = (_record, reason) => {
      throw reason;
    };
  }

  isAtKey(name: string): boolean {
    const entry = this.entries.get(name);
    return entry !== undefined && "key" in entry && entry.key === name;
  }

  async write(name: string, text: string): Promise<void> {
    const staged = await bench.staged(text);
    await bench.change((plan) => {
      plan.put({ key: name, staged, size: text.length, inBucket: this.isAtKey(name) });
      this.entries.set(name, { staged, text });
    });
  }

  async unlink(name: string): Promise<void> {
    if (!this.entries.has(name)) return;
    await bench.change((plan) => {
      plan.delete(name, this.isAtKey(name));
      this.entries.delete(name);
    });
  }

  async rename(from: string, to: string): Promise<void> {
    const entry = this.entries.get(from);
    if (entry === undefined || from === to) return;
    await bench.change((plan) => {
      const inBucket = this.isAtKey(to);
      if (!this.isAtKey(from)) plan.delete(from, false);
      const size = entry.text.length;
      if ("staged" in entry) plan.put({ key: to, staged: entry.staged, size, inBucket });
      else plan.move({ ...entry, size }, { key: to, inBucket });
      this.entries.delete(from);
      this.entries.set(to, entry);
    });
  }
}

test.each([1, 2, 3, 4, 5, 6, 7, 8])(
  "the bucket follows the names through failures, lost answers and crashes (seed %i)",
  async (seed) => {
    const random = new Random(seed);
    const names = new Names();
    const keys = ["a", "b", "c"];
    names.attach();
    bench.store.freshCopyEtags = random.chance(50);
    const hiccup = async (percent: number): Promise<void> => {
      if (random.chance(30)) await new Promise((resolve) => setTimeout(resolve, 1));
      if (random.chance(percent)) throw s3Error("reset");
    };
    bench.store.before = (verb) => hiccup(verb === "HEAD" || verb === "LIST" ? 0 : 10);
    bench.store.after = (verb) => hiccup(verb === "HEAD" || verb === "LIST" ? 0 : 10);
    bench.queue.start(bench.events);
    for (let step = 0; step < 150; step++) {
      const dice = random.integer(100);
      const key = random.pick(keys);
      if (dice < 30) await names.write(key, `${step}-${"x".repeat(random.integer(100))}`);
      else if (dice < 45) await names.unlink(key);
      else if (dice < 80) await names.rename(key, random.pick(keys));
      else if (dice < 95) await new Promise((resolve) => setTimeout(resolve, random.integer(4)));
      else {
        await bench.crash();
        bench.queue.start(bench.events);
      }
    }
    await bench.queue.drained();
    const expected = [...names.entries].map(([name, { text }]) => [name, text] as const);
    expect(bench.store.contents()).toEqual(Object.fromEntries(expected));
    expect(bench.state.journal.size).toBe(0);
    expect(bench.queue.status()).toMatchObject({ pending: 0, pendingBytes: 0 });
  },
);
