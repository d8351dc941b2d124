// A second daemon on the state of a first one that serves, is stopped, or is dead.
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { waitUntil } from "../support/mount/wait-until.ts";
import { isAlive, md5, Place, signal } from "./daemon-fixture.ts";

test("a daemon that was stopped with SIGSTOP keeps its state and its mount, and nobody hangs", async () => {
  const place = await Place.mounted();
  const pid = await place.daemonPid();
  await writeFile(place.path("d/f"), "kept");
  await mkdir(join(place.folder, "other"));
  const argv = place.mountArguments();
  const elsewhere = argv.map((word) => (word === place.mountpoint ? "other" : word));
  signal(pid, "SIGSTOP");
  const startedAt = Date.now();
  const second = await place.pailfs(...elsewhere);
  expect(second).toMatchObject({ code: 75, stdout: "" });
  expect(second.stderr).toMatch(/^pailfs: Cannot mount bucket: another pailfs uses [^\n]*\n$/);
  const same = await place.pailfs(...argv);
  expect(same).toMatchObject({ code: 1, stdout: "" });
  expect(same.stderr).toMatch(/^pailfs: Cannot mount on [^\n]*does not answer[^\n]*\n$/);
  expect(Date.now() - startedAt).toBeLessThan(40_000);
  signal(pid, "SIGCONT");
  expect(await readFile(place.path("d/f"), "utf8")).toBe("kept");
  await place.umount();
  expect(await place.bucket()).toEqual({ "d/f": md5("kept") });
});

test("a stopped daemon that is killed is taken over at once, with its queue", async () => {
  const place = await Place.mounted();
  const pid = await place.daemonPid();
  await place.stopServer();
  await writeFile(place.path("d/f"), "pending");
  await place.startServer();
  signal(pid, "SIGSTOP");
  signal(pid, "SIGKILL");
  await waitUntil("the daemon is dead", () => !isAlive(pid));
  // the dead mount may still be there
  const again = await place.pailfs(...place.mountArguments());
  expect(again.code).toBe(0);
  expect(again.stderr).toMatch(/^(pailfs: removed a dead mount from [^\n]*\n)?$/);
  await place.daemonPid();
  expect(await readFile(place.path("d/f"), "utf8")).toBe("pending");
  await place.umount();
  expect(await place.bucket()).toEqual({ "d/f": md5("pending") });
});

test("of daemons that start at the same time on one state one mounts, the others are refused", async () => {
  const place = await Place.make();
  const names = ["one", "two", "three"];
  for (const name of names) await mkdir(join(place.folder, name));
  const argv = place.mountArguments();
  const ended = await Promise.all(
    names.map((name) =>
      place.pailfs(
        ...argv.map((word) => (word === place.mountpoint ? join(place.folder, name) : word)),
      ),
    ),
  );
  expect(ended.filter(({ code }) => code === 0)).toHaveLength(1);
  expect(ended.filter(({ code }) => code === 75)).toHaveLength(2);
  for (const { code, stderr } of ended) {
    if (code !== 0)
      expect(stderr).toMatch(/^pailfs: Cannot mount bucket: another pailfs uses [^\n]*\n$/);
  }
  const winner = names[ended.findIndex(({ code }) => code === 0)] ?? "";
  const path = join(place.folder, winner);
  await writeFile(join(path, "f"), "served");
  expect(await place.pailfs("umount", path)).toMatchObject({ code: 0, stderr: "" });
  expect(await place.bucket()).toEqual({ f: md5("served") });
});
