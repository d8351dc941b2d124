// Mounting, unmounting, dying: what happens to the mount and to those who use it.
import { execFile } from "node:child_process";
import { readFile, stat, writeFile } from "node:fs/promises";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { isMounted } from "../support/mount/mount-in-child.ts";
import { waitUntil } from "../support/mount/wait-until.ts";
import { lifeSuite } from "./life-suite.ts";
import { mount, mountLine } from "./mount-fixture.ts";

const run = promisify(execFile);

lifeSuite(mount, "ENOTCONN");
test("the mount table shows type fuse.pailfs and the source as it was given", async () => {
  const { mountpoint } = await mount({ mount: { source: "s3://bucket/a b,c" } });
  const line = await mountLine(mountpoint);
  expect(line).toContain(String.raw` - fuse.pailfs s3://bucket/a\040b,c `);
  expect(line).toMatch(/nosuid,nodev/);
});

test("an idle mount is unmounted and its session closes", async () => {
  const mounted = await mount();
  await writeFile(mounted.path("f"), "x");
  expect(await mounted.command({ do: "unmount", lazy: false })).toBe("done");
  await mounted.closed;
  expect(await mounted.isMounted()).toBe(false);
});

test("umount(8) from outside ends the session too", async () => {
  const mounted = await mount();
  await run("umount", [mounted.mountpoint]);
  await mounted.closed;
  expect(await mounted.isMounted()).toBe(false);
});

test("the thread pool reads requests where the pipe handle is gone", async () => {
  const mounted = await mount({ mount: { reader: "pool" } });
  await writeFile(mounted.path("f"), "x".repeat(3_000_000));
  expect((await readFile(mounted.path("f"))).length).toBe(3_000_000);
  await run("umount", [mounted.mountpoint]);
  await mounted.closed;
});

test("read-ahead of the kernel is set to what was asked", async () => {
  const { mountpoint } = await mount({ mount: { readAheadKb: 2048 } });
  const line = await mountLine(mountpoint);
  const device = line?.split(" ")[2];
  expect(await readFile(`/sys/class/bdi/${device}/read_ahead_kb`, "utf8")).toBe("2048\n");
});

test("a mountpoint that is a file, absent or in use is refused with a reason", async () => {
  const mounted = await mount();
  await expect(mount({ mount: { mountpoint: mounted.mountpoint } })).rejects.toThrow(/is mounted/);
  await expect(mount({ mount: { mountpoint: "/dev/null/x" } })).rejects.toThrow(/Cannot mount at/);
  expect(await isMounted(mounted.mountpoint)).toBe(true);
});

test("a dead daemon's mount is removed by the next start", async () => {
  const mounted = await mount({ mount: { watchdog: false } });
  mounted.kill("SIGKILL");
  await mounted.closed;
  await waitUntil("the mount is dead", () =>
    stat(mounted.mountpoint).then(
      () => false,
      (error: NodeJS.ErrnoException) => error.code === "ENOTCONN",
    ),
  );
  const again = await mount({ mount: { mountpoint: mounted.mountpoint } });
  await writeFile(again.path("f"), "x");
  await again.stop();
  expect(await isMounted(mounted.mountpoint)).toBe(false);
});
