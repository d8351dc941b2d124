import { expect, test } from "vitest";
import { describeStatus } from "../../../src/cli/status-command.ts";
import type { DaemonStatus } from "../../../src/daemon/status.ts";

const status: DaemonStatus = {
  source: "bucket",
  mountpoint: "/mnt",
  bucket: "bucket",
  prefix: "",
  readOnly: false,
  pid: 7,
  version: "1",
  startedMs: 0,
  phase: "serving",
  memoryBytes: 2 ** 20,
  queue: { length: 0, bytes: 0, refused: 0, delayed: { count: 0, bytes: 0 } },
  cache: { bytes: 0, objects: 0, limitBytes: 2 ** 30, hits: 0, misses: 0 },
  requests: {},
  spool: { bytes: 0, limitBytes: 1 },
  s3: { answers: {}, sentBytes: 0, receivedBytes: 0 },
  fuse: { answers: {}, readBytes: 0, writtenBytes: 0, inFlight: 0, openFiles: 0, names: 1 },
  adapter: "native",
  passthrough: false,
};

test("what fuse-native leaks is told, with advice once it is much", () => {
  expect(describeStatus(status, 0)).not.toMatch(/handles/);
  const few = describeStatus({ ...status, threadHandles: { count: 12 } }, 0);
  expect(few).toMatch(/^ {2}native +12 handles of threads$/m);
  const many = { count: 1200, advice: "mount again" };
  expect(describeStatus({ ...status, threadHandles: many }, 0)).toMatch(
    /^ {2}native +1200 handles of threads; mount again$/m,
  );
});
