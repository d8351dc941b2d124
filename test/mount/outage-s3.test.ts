// S3 in trouble under a real mount: what is promised goes on, what is not known is EIO and never ENOENT.
import { readdir, readFile, stat, truncate, writeFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { waitUntil } from "../support/mount/wait-until.ts";
import { bytes, errnoOf, md5, Place } from "./daemon-fixture.ts";

const effects: [string, object | undefined][] = [
  ["503", { kind: "status", status: 503, code: "SlowDown" }],
  ["403", { kind: "status", status: 403, code: "AccessDenied" }],
  ["a hang", { kind: "hang" }],
  ["connection refused", undefined],
];

test.each(effects)(
  "%s: known directories take writes, cached and pending files are read, the rest is EIO",
  async (_name, effect) => {
    const place = await Place.mounted("--s3-deadline=2s", "--stat-cache-ttl=6s");
    const [cached, large] = [bytes(70_000), bytes(300_000)];
    await writeFile(place.path("d/cached"), cached);
    await place.pailfs("flush", place.mountpoint);
    expect(md5(await readFile(place.path("d/cached")))).toBe(md5(cached));
    const knownUntil = Date.now() + 6000;
    await readdir(place.path("d"));
    if (effect === undefined) await place.stopServer();
    else await place.admin("fault", { effect });

    const written: Record<string, Buffer> = { "d/cached": cached };
    for (let i = 0; i < 5; i += 1) {
      written[`d/f${i}`] = bytes(1000 * i);
      await writeFile(place.path(`d/f${i}`), written[`d/f${i}`] ?? "");
    }
    await writeFile(place.path("d/f4"), large);
    written["d/f4"] = large;
    await truncate(place.path("d/f3"), 100);
    written["d/f3"] = (written["d/f3"] ?? large).subarray(0, 100);
    for (const [name, content] of Object.entries(written)) {
      expect(md5(await readFile(place.path(name))), name).toBe(md5(content));
    }
    const startedAt = Date.now();
    const unknown = [stat(place.path("unknown")), writeFile(place.path("unknown2"), "")];
    expect(await Promise.all(unknown.map(errnoOf))).toEqual(["EIO", "EIO"]);
    expect(Date.now() - startedAt).toBeLessThan(15_000);
    await waitUntil("their time has run out", () => Date.now() > knownUntil + 500);
    expect(md5(await readFile(place.path("d/cached")))).toBe(md5(cached));
    expect(md5(await readFile(place.path("d/f4")))).toBe(md5(large));
    const { queue } = await place.status();
    // an upload that was under way when its file changed stands beside the next one
    expect(queue.length).toBeGreaterThanOrEqual(5);
    expect(queue.length).toBeLessThanOrEqual(7);
    expect(queue.lastError?.message).toMatch(/\S/);

    if (effect === undefined) await place.startServer();
    else await place.admin("clear-faults", {});
    const expected = Object.fromEntries(
      Object.entries(written).map(([name, content]) => [name, md5(content)]),
    );
    await waitUntil(
      "the queue drains by itself",
      async () => (await place.status()).queue.length === 0,
      45_000,
    );
    expect(await place.bucket()).toEqual(expected);
    expect(await errnoOf(stat(place.path("unknown")))).toBe("ENOENT");
    await place.umount();
  },
);

test.each([
  ["reset", { kind: "resetBody", afterBytes: 100_000 }],
  ["truncated", { kind: "truncateBody", afterBytes: 100_000 }],
  ["stalled", { kind: "stallBody", afterBytes: 100_000 }],
])("a %s body is read on, and its bytes are right", async (_name, effect) => {
  const place = await Place.mounted("--s3-deadline=4s");
  const content = bytes(3_000_000);
  await writeFile(place.path("d/f"), content);
  await place.umount();
  // an empty cache
  await place.mount("--s3-deadline=4s", "--cache-dir", `${place.folder}/cache2`);
  await place.admin("fault", { effect, verbs: ["GET"], times: 3 });
  expect(md5(await readFile(place.path("d/f")))).toBe(md5(content));
  await place.umount();
});

test("a body that always breaks is EIO, and right once it does not", async () => {
  const place = await Place.mounted();
  const content = bytes(3_000_000);
  await writeFile(place.path("d/f"), content);
  await place.umount();
  await place.mount("--s3-deadline=2s", "--cache-dir", `${place.folder}/cache2`);
  await place.admin("fault", { effect: { kind: "resetBody", afterBytes: 0 }, verbs: ["GET"] });
  const startedAt = Date.now();
  expect(await errnoOf(readFile(place.path("d/f")))).toBe("EIO");
  expect(Date.now() - startedAt).toBeLessThan(15_000);
  await place.admin("clear-faults", {});
  expect(md5(await readFile(place.path("d/f")))).toBe(md5(content));
  await place.umount();
});

test("an upload that is corrupted on its way, or whose answer is lost, ends right", async () => {
  const place = await Place.mounted("--s3-deadline=3s");
  const content = bytes(200_000);
  await place.admin("fault", { effect: { kind: "lostAnswer" }, verbs: ["PUT"], times: 1 });
  await writeFile(place.path("d/lost"), content);
  await place.pailfs("flush", place.mountpoint);
  await place.admin("fault", {
    effect: { kind: "errorThoughStored", status: 500 },
    verbs: ["PUT"],
    times: 2,
  });
  await writeFile(place.path("d/error"), content);
  await place.umount();
  expect(await place.bucket()).toEqual({ "d/lost": md5(content), "d/error": md5(content) });
});
