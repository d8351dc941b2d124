// A large directory is renamed, and the daemon dies while the bucket follows.
import { readdir, rename } from "node:fs/promises";
import { expect, test } from "vitest";
import { waitUntil } from "../support/mount/wait-until.ts";
import { errnoOf, isAlive, Place, signal } from "./daemon-fixture.ts";

const COUNT = 4000;

async function keys(place: Place): Promise<string[]> {
  const listed = (await place.admin("keys")) as { key: string }[];
  return listed.map(({ key }) => key);
}

test("a directory of 4,000 objects that was renamed gets there in spite of a kill -9", async () => {
  const place = await Place.make();
  await place.admin("synthetic", { prefix: "tree/n", count: COUNT, size: 5 });
  await place.mount();
  const pid = await place.daemonPid();
  await rename(place.path("tree"), place.path("moved"));
  expect((await readdir(place.path("moved"))).length).toBe(COUNT);
  expect(await errnoOf(readdir(place.path("tree")))).toBe("ENOENT");
  await waitUntil("some are copied", async () => {
    const counts = (await place.admin("counts")) as Record<string, number>;
    return (counts["COPY"] ?? 0) > 500;
  });
  signal(pid, "SIGKILL");
  await waitUntil("the daemon is dead", () => !isAlive(pid));
  const halfway = await keys(place);
  expect(halfway.some((key) => key.startsWith("tree/"))).toBe(true);
  expect(new Set(halfway.map((key) => key.slice(key.indexOf("/")))).size).toBe(COUNT);

  await waitUntil("the dead mount is gone", async () => !(await place.isMounted()));
  await place.mount();
  expect((await readdir(place.path("moved"))).length).toBe(COUNT);
  expect(await errnoOf(readdir(place.path("tree")))).toBe("ENOENT");
  await place.umount();
  const after = await keys(place);
  expect(after).toHaveLength(COUNT);
  expect(after.every((key) => key.startsWith("moved/n"))).toBe(true);
});
