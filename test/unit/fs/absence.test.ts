/* oxlint-disable vitest/expect-expect -- fails() expects */
// Tenet 2: a name is absent only when S3 said so.
import { expect, test } from "vitest";
import { O_RDONLY } from "../../../src/posix/open-flags.ts";
import { fails, readFile } from "../../posix/suite/context.ts";
import type { Fault } from "../../support/loopback-s3/faults.ts";
import { waitUntil } from "../../support/mount/wait-until.ts";
import { context, countsOf, driverOf, testCore } from "./core-fixture.ts";

const impatient = { "s3-deadline": "1s" };

test("a name is absent when HEAD says 404 and a listing does not have it", async () => {
  const core = await testCore();
  expect(await core.core.fileSystem.lookup("/none", context)).toBeUndefined();
  expect(countsOf(core)).toEqual({ HEAD: 1, LIST: 1 });
});

const troubles: [title: string, ...faults: Fault[]][] = [
  ["LIST fails after HEAD said 404", { verbs: ["LIST"], effect: { kind: "status", status: 503 } }],
  ["HEAD fails and LIST is empty", { verbs: ["HEAD"], effect: { kind: "status", status: 503 } }],
  ["S3 says SlowDown", { effect: { kind: "status", status: 503 } }],
  ["S3 has an internal error", { effect: { kind: "status", status: 500 } }],
  ["S3 forbids", { effect: { kind: "status", status: 403 } }],
  ["S3 never answers", { effect: { kind: "hang" } }],
  ["connections are reset", { effect: { kind: "reset" } }],
  [
    "LIST says 404 without a word why",
    { verbs: ["LIST"], effect: { kind: "status", status: 404, bare: true } },
  ],
  [
    "a proxy says 404 to everything",
    { effect: { kind: "status", status: 404, code: "NotFound", bare: true } },
  ],
];

test.each(troubles)("an unknown name is EIO, not absent, when %s", async (_title, ...faults) => {
  const core = await testCore(impatient);
  for (const fault of faults) core.s3.faults.add(fault);
  const driver = driverOf(core);
  await Promise.all([
    fails(driver.lstat("/f"), "EIO"),
    fails(driver.open("/f", O_RDONLY), "EIO"),
    fails(driver.unlink("/f"), "EIO"),
    fails(driver.rename("/f", "/g"), "EIO"),
    fails(driver.mkdir("/f"), "EIO"),
  ]);
});

test("a directory that cannot be listed is EIO, not empty", async () => {
  const core = await testCore(impatient);
  core.s3.faults.add({ verbs: ["LIST"], effect: { kind: "status", status: 503 } });
  await fails(driverOf(core).readdir("/"), "EIO");
});

test("a bucket that is gone does not make its names absent", async () => {
  const core = await testCore(impatient);
  core.s3.buckets.clear();
  await expect(driverOf(core).lstat("/f")).rejects.toMatchObject({
    code: expect.stringMatching(/^(EIO|ENXIO)$/) as string,
  });
});

test("an expired name that was there goes on being served in trouble", async () => {
  const core = await testCore({ ...impatient, "stat-cache-ttl": "0" });
  const driver = driverOf(core);
  core.s3.putText("d/f", "text");
  expect((await driver.lstat("/d/f")).size).toBe(4);
  core.s3.faults.add({ verbs: ["HEAD", "LIST"], effect: { kind: "status", status: 503 } });
  expect((await driver.lstat("/d/f")).size).toBe(4);
  expect([...(await driver.readdir("/d")).keys()]).toEqual(["f"]);
  expect(await readFile(driver, "/d/f")).toBe("text");
});

test("an expired absent name is not served in trouble", async () => {
  const core = await testCore({ ...impatient, "negative-ttl": "0" });
  await fails(driverOf(core).lstat("/f"), "ENOENT");
  core.s3.faults.add({ effect: { kind: "status", status: 503 } });
  await fails(driverOf(core).lstat("/f"), "EIO");
});

test("absent within the negative TTL costs nothing, and afterwards S3 is asked", async () => {
  const core = await testCore({ "negative-ttl": "300ms" });
  await fails(driverOf(core).lstat("/f"), "ENOENT");
  core.s3.putText("f", "text");
  core.s3.reset();
  await fails(driverOf(core).lstat("/f"), "ENOENT");
  expect(core.s3.count()).toBe(0);
  await waitUntil(
    "the name is seen",
    async () => (await core.core.fileSystem.lookup("/f", context)) !== undefined,
  );
});

test("identical questions that come together are asked once", async () => {
  const core = await testCore();
  core.s3.putText("there", "x");
  const ask = async (path: string) => {
    const { signal } = new AbortController();
    return core.core.fileSystem.lookup(path, { ...context, signal });
  };
  const paths = Array.from({ length: 50 }, (_, i) => (i % 2 === 0 ? "/there" : "/none"));
  const found = await Promise.all(paths.map(ask));
  expect(found.filter((entry) => entry !== undefined)).toHaveLength(25);
  expect(countsOf(core)).toEqual({ HEAD: 2, LIST: 2 });
});

test("listings of one directory that come together are made once", async () => {
  const core = await testCore();
  core.s3.putSynthetic("f", 10, 1);
  const lists = await Promise.all(Array.from({ length: 8 }, () => driverOf(core).readdir("/")));
  expect(lists.map((names) => names.size)).toEqual(lists.map(() => 10));
  expect(countsOf(core)).toEqual({ LIST: 1 });
});

test("a caller that was interrupted is answered, and the others get what it asked for", async () => {
  const core = await testCore();
  core.s3.putText("f", "x");
  core.s3.settings.latencyMs = 200;
  const abort = new AbortController();
  const interrupted = core.core.fileSystem.lookup("/f", { ...context, signal: abort.signal });
  const other = core.core.fileSystem.lookup("/f", context);
  abort.abort();
  await fails(Promise.resolve(interrupted), "EINTR");
  expect((await other)?.stat.size).toBe(1);
  expect(countsOf(core)).toEqual({ HEAD: 1, LIST: 1 });
});

test("a name is believed to be a file although nobody could look below it", async () => {
  const core = await testCore(impatient);
  core.s3.putText("f", "text");
  core.s3.faults.add({ verbs: ["LIST"], effect: { kind: "status", status: 503 } });
  expect((await driverOf(core).lstat("/f")).size).toBe(4);
});
