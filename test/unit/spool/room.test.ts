import { dir } from "tmp-promise";
import { afterEach, expect, onTestFinished, test } from "vitest";
import { setLogSink } from "../../../src/log.ts";
import { Room } from "../../../src/spool/room.ts";

afterEach(() => setLogSink((line) => process.stderr.write(line), "plain"));

test("files that the kernel lets grow beyond the spool are told once, while they are open, and keep others from growing so", async () => {
  const lines: string[] = [];
  setLogSink((line) => lines.push(line), "plain");
  const { path: directory, cleanup } = await dir();
  onTestFinished(() => cleanup());
  let grown = 0;
  const room = new Room({
    directory,
    limitBytes: 1000,
    minFree: { bytes: 0 },
    waitMs: 1000,
    openBytes: () => grown,
    failingSinceMs: () => undefined,
  });
  room.opened();
  onTestFinished(() => room.stop());
  await room.sample();
  expect(room.roomy()).toBe(true);
  grown = 1150;
  await room.sample();
  // beyond the limit, within the reserve
  expect(room.roomy()).toBe(false);
  expect(lines).toEqual([]);
  grown = 5000;
  for (let i = 0; i < 3; i += 1) await room.sample();
  expect(lines).toHaveLength(1);
  expect(lines[0]).toContain("outgrown the spool: 5000 of 1000 bytes");
  grown = 10;
  await room.sample();
  expect(room.roomy()).toBe(true);
  grown = 5000;
  await room.sample();
  expect(lines).toHaveLength(2);
});
