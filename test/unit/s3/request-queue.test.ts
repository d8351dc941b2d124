import { expect, test } from "vitest";
import { RequestQueue } from "../../../src/s3/request-queue.ts";

async function settled(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}

test("acquire() starts as many as the limit, then in order", async () => {
  const queue = new RequestQueue(2);
  const order: number[] = [];
  const releases: (() => void)[] = [];
  for (let i = 0; i < 4; i += 1) {
    void queue.acquire(false).then((release) => {
      order.push(i);
      if (release !== undefined) releases.push(release);
    });
  }
  await settled();
  expect(order).toEqual([0, 1]);
  releases[0]?.();
  // a second time changes nothing
  releases[0]?.();
  await settled();
  expect(order).toEqual([0, 1, 2]);
  expect(queue.running).toBe(2);
});

test("acquire() lets foreground go ahead, and background never take the last quarter", async () => {
  const queue = new RequestQueue(4);
  const order: string[] = [];
  const releases: (() => void)[] = [];
  const ask = (name: string, background: boolean): void => {
    void queue.acquire(background).then((release) => {
      order.push(name);
      if (release !== undefined) releases.push(release);
    });
  };
  for (const name of ["b1", "b2", "b3", "b4"]) ask(name, true);
  await settled();
  expect(order).toEqual(["b1", "b2", "b3"]);
  ask("f1", false);
  ask("f2", false);
  await settled();
  expect(order).toEqual(["b1", "b2", "b3", "f1"]);
  releases[0]?.();
  await settled();
  expect(order.at(-1)).toBe("f2");
  releases[1]?.();
  await settled();
  expect(order.at(-1)).toBe("b4");
});

test("acquire() resolves to undefined on abort and keeps no place", async () => {
  const queue = new RequestQueue(1);
  const first = await queue.acquire(false);
  const controller = new AbortController();
  const second = queue.acquire(false, controller.signal);
  const third = queue.acquire(false);
  controller.abort();
  expect(await second).toBeUndefined();
  first?.();
  expect(await third).toBeTypeOf("function");
  expect(queue.running).toBe(1);
});
