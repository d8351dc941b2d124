import { afterEach, beforeEach, expect, test } from "vitest";
import { s3Error } from "./memory-store.ts";
import { gate, isGone, QueueBench } from "./queue-bench.ts";

let bench: QueueBench;

beforeEach(async () => {
  bench = await QueueBench.open();
});

afterEach(() => bench.close());

function ids(): number[] {
  return [...bench.queue.desk.items(0, true)].map(({ id }) => Number(id));
}

test("content that is discarded gives way to the delete it had replaced", async () => {
  bench.store.set("k", "old");
  await bench.change((plan) => plan.delete("k", true));
  const staged = await bench.put("k", "new");
  const [id = 0, ...rest] = ids();
  expect(rest).toEqual([]);
  await bench.queue.desk.discard(id);
  expect([...bench.state.journal.values()]).toMatchObject([{ kind: "delete", key: "k" }]);
  bench.queue.start(bench.events);
  await bench.queue.drained();
  expect(bench.store.contents()).toEqual({});
  expect(await isGone(bench.spool, staged)).toBe(true);
});

test("what fails in between is tried to its end before it is discarded", async () => {
  const { open, reached } = gate(bench.store, (verb) => verb === "PUT");
  bench.queue.start(bench.events);
  await bench.put("k", "text");
  await reached;
  const discarded = bench.queue.desk.discard(ids()[0] ?? 0);
  open();
  await expect(discarded).rejects.toMatchObject({ code: "ENOENT" });
  expect(bench.store.contents()).toEqual({ k: "text" });
});

test("a journal that cannot be written leaves the work as it is", async () => {
  await bench.put("k", "text");
  bench.state.before = () => {
    throw s3Error("disk full");
  };
  await expect(bench.queue.desk.discard(ids()[0] ?? 0)).rejects.toThrow("disk full");
  bench.state.before = () => undefined;
  bench.queue.start(bench.events);
  await bench.queue.drained();
  expect(bench.store.contents()).toEqual({ k: "text" });
});

test("who waits for discarded work is not left waiting", async () => {
  bench.store.before = () => {
    throw s3Error("access denied", true);
  };
  bench.queue.start(bench.events);
  await bench.put("k", "text");
  const drained = bench.queue.drained();
  await bench.queue.desk.discard(ids()[0] ?? 0);
  await drained;
});
