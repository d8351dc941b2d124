// Somebody else replaces the source of a rename between its copy and its delete.
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { setLogSink } from "../../../src/log.ts";
import { FsError } from "../../../src/posix/errno.ts";
import { QueueBench } from "./queue-bench.ts";

let bench: QueueBench;
let lines: string;

beforeEach(async () => {
  lines = "";
  setLogSink((line) => void (lines += line), "plain");
  bench = await QueueBench.open();
});

afterEach(async () => {
  await bench.close();
  setLogSink((line) => process.stderr.write(line), "plain");
});

async function move(from: string, to: string): Promise<void> {
  const object = bench.store.objects.get(from);
  if (object === undefined) throw new Error(`no object ${from}`);
  const source = { key: from, etag: object.etag, size: object.data.length };
  await bench.change((plan) => plan.move(source, { key: to, inBucket: false }));
}

function logged(verb: string): string[] {
  return bench.store.log.filter((line) => line.startsWith(verb));
}

test("a delete right after its copy asks nothing", async () => {
  bench.store.set("a", "one");
  await move("a", "b");
  bench.queue.start(bench.events);
  await bench.queue.drained();
  expect(bench.store.log).toEqual(["COPY b", "DELETE a"]);
});

test("a delete that is tried again leaves what somebody else wrote meanwhile", async () => {
  bench.store.set("a", "one");
  await move("a", "b");
  let isFirst = true;
  bench.store.before = (verb) => {
    if (verb !== "DELETE" || !isFirst) return;
    isFirst = false;
    bench.store.set("a", "someone else's");
    throw new FsError("EIO", "S3 is down");
  };
  bench.queue.start(bench.events);
  await bench.queue.drained();
  expect(bench.store.contents()).toEqual({ a: "someone else's", b: "one" });
  expect(bench.state.journal.size).toBe(0);
  expect(lines).toContain(
    'The object "a" was replaced while it was renamed in the bucket: it stays',
  );
});

test("a delete after a restart leaves what somebody else wrote meanwhile, and takes what is ours", async () => {
  bench.store.freshCopyEtags = true;
  for (const key of ["a", "c"]) {
    bench.store.set(key, key);
    await move(key, `${key}2`);
  }
  let deletes = 0;
  bench.store.before = (verb) => {
    if (verb !== "DELETE") return;
    deletes += 1;
    throw new FsError("EIO", "S3 is down");
  };
  bench.queue.start(bench.events);
  await vi.waitFor(() => expect(deletes).toBeGreaterThanOrEqual(2));
  await bench.crash();
  bench.store.before = () => undefined;
  bench.store.set("a", "someone else's");
  bench.queue.start(bench.events);
  await bench.queue.drained();
  expect(bench.store.contents()).toEqual({ a: "someone else's", a2: "a", c2: "c" });
  expect(logged("HEAD").length).toBeGreaterThanOrEqual(2);
});

test("a store that honours the condition decides, and a lost answer is no other version", async () => {
  for (const key of ["a", "c"]) {
    bench.store.set(key, key);
    await move(key, `${key}2`);
  }
  bench.store.before = (verb, key) => {
    if (verb !== "DELETE") return;
    if (key === "a") bench.store.set("a", "someone else's");
    else bench.store.objects.delete(key);
    throw new FsError("ESTALE", "the ETag is another one");
  };
  bench.queue.start(bench.events);
  await bench.queue.drained();
  expect(bench.store.contents()).toEqual({ a: "someone else's", a2: "a", c2: "c" });
});
