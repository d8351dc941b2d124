// Mounting, unmounting, dying: what happens to the mount and to those who use it.
import { execFile } from "node:child_process";
import { readFile, stat, writeFile } from "node:fs/promises";
import { promisify } from "node:util";
import { afterEach, expect, test } from "vitest";
import { Agent } from "../support/mount/agent.ts";
import {
  type ChildMount,
  isMounted,
  mountInChild,
  type MountInChildOptions,
} from "../support/mount/mount-in-child.ts";
import { waitUntil } from "../support/mount/wait-until.ts";

const run = promisify(execFile);
const cleanups: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

async function mount(options?: MountInChildOptions): Promise<ChildMount> {
  const mounted = await mountInChild(options);
  cleanups.push(() => mounted.stop());
  return mounted;
}

function agent(): Agent {
  const made = new Agent();
  cleanups.push(() => made.stop());
  return made;
}

test("the mount table shows type fuse.pailfs and the source as it was given", async () => {
  const { mountpoint } = await mount({ mount: { source: "s3://bucket/a b,c" } });
  const line = (await readFile("/proc/self/mountinfo", "utf8"))
    .split("\n")
    .find((text) => text.includes(mountpoint));
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

test("a busy mount says so and goes on; lazily unmounted it serves until the last close", async () => {
  const mounted = await mount();
  const other = agent();
  await other.run("f = open(p, 'w+')", { p: mounted.path("f") });
  expect(await mounted.command({ do: "unmount", lazy: false })).toBe("busy");
  expect(await readFile(mounted.path("f"), "utf8")).toBe("");
  expect(await mounted.command({ do: "unmount", lazy: true })).toBe("done");
  expect(await mounted.isMounted()).toBe(false);
  await other.run("f.write('still here'); f.flush(); f.seek(0); result = f.read()");
  expect(await mounted.counts()).toMatchObject({ files: 1 });
  await other.run("f.close()");
  await mounted.closed;
});

test("a read-only mount refuses writes", async () => {
  const mounted = await mount({ mount: { readOnly: true } });
  await expect(writeFile(mounted.path("f"), "x")).rejects.toMatchObject({ code: "EROFS" });
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
  const line = (await readFile("/proc/self/mountinfo", "utf8"))
    .split("\n")
    .find((text) => text.includes(mountpoint));
  const device = line?.split(" ")[2];
  expect(await readFile(`/sys/class/bdi/${device}/read_ahead_kb`, "utf8")).toBe("2048\n");
});

test("a mountpoint that is a file, absent or in use is refused with a reason", async () => {
  const mounted = await mount();
  await expect(mount({ mount: { mountpoint: mounted.mountpoint } })).rejects.toThrow(/is mounted/);
  await expect(mount({ mount: { mountpoint: "/dev/null/x" } })).rejects.toThrow(/Cannot mount at/);
  expect(await isMounted(mounted.mountpoint)).toBe(true);
});

test("after kill -9 callers get ENOTCONN, the watchdog removes the mount, and it can be mounted again", async () => {
  const mounted = await mount({ delays: { "file.read": 10_000 } });
  await writeFile(mounted.path("f"), "x");
  const other = agent();
  await other.run("f = os.open(p, os.O_RDWR)", { p: mounted.path("f") });
  const reading = other.run("os.read(f, 1)").catch((error: { code: string }) => error.code);
  await waitUntil("the read is in flight", async () => (await mounted.counts()).inFlight === 1);
  mounted.kill("SIGKILL");
  expect(["ENOTCONN", "ECONNABORTED"]).toContain(await reading);
  await expect(other.run("os.fstat(f)")).rejects.toMatchObject({ code: "ENOTCONN" });
  await waitUntil("the watchdog removed the mount", async () => !(await mounted.isMounted()));
  const again = await mount({ mount: { mountpoint: mounted.mountpoint } });
  await writeFile(again.path("g"), "y");
  expect(await readFile(again.path("g"), "utf8")).toBe("y");
  await again.stop();
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
