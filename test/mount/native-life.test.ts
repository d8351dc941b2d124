// What mount-native.ts itself sees to: the mount's beginning and end. What programs see is in posix/ and semantics/.
import { execFile } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterEach, describe, expect, test } from "vitest";
import { Agent } from "../support/mount/agent.ts";
import {
  type ChildMount,
  isMounted,
  mountInChild,
  type MountInChildOptions,
} from "../support/mount/mount-in-child.ts";
import { waitUntil } from "../support/mount/wait-until.ts";
import { runsNative } from "../support/native.ts";
import { startUserMount } from "../support/real-mount.ts";

const run = promisify(execFile);
const cleanups: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

async function mount(options: MountInChildOptions = {}): Promise<ChildMount> {
  const mounted = await mountInChild({ native: true, ...options });
  cleanups.push(() => mounted.stop());
  return mounted;
}

function agent(): Agent {
  const made = new Agent();
  cleanups.push(() => made.stop());
  return made;
}

describe.skipIf(!runsNative)("fuse=native", () => {
  test("the mount table shows type fuse.pailfs and the source as it was given", async () => {
    const source = String.raw`s3://bucket/a b,c\d`;
    const { mountpoint } = await mount({ mount: { source } });
    const line = (await readFile("/proc/self/mountinfo", "utf8"))
      .split("\n")
      .find((text) => text.includes(mountpoint));
    expect(line).toContain(String.raw` - fuse.pailfs s3://bucket/a\040b,c\134d `);
    expect(line).toMatch(/nosuid,nodev/);
  });

  test("umount(8) from outside ends the session and the process", async () => {
    const mounted = await mount();
    await run("umount", [mounted.mountpoint]);
    await mounted.closed;
    await waitUntil("the daemon ends by itself", async () => !(await isRunning(mounted.pid)));
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

  test("a mountpoint in use is refused, and what is there stays", async () => {
    const mounted = await mount();
    const again = mount({ mount: { mountpoint: mounted.mountpoint } });
    await expect(again).rejects.toThrow(/is mounted/);
    expect(await isMounted(mounted.mountpoint)).toBe(true);
  });

  test("after kill -9 callers get an error, the watchdog removes the mount, and it can be mounted again", async () => {
    const mounted = await mount({ delays: { "file.read": 30_000 } });
    await writeFile(mounted.path("f"), "x");
    const other = agent();
    await other.run("f = os.open(p, os.O_RDWR)", { p: mounted.path("f") });
    const reading = other.run("os.read(f, 1)").catch((error: { code: string }) => error.code);
    await waitUntil("the read is in flight", async () => (await mounted.counts()).inFlight === 1);
    mounted.kill("SIGKILL");
    expect(["ENOTCONN", "ECONNABORTED"]).toContain(await reading);
    await waitUntil("the watchdog removed the mount", async () => !(await mounted.isMounted()));
    const again = await mount({ mount: { mountpoint: mounted.mountpoint } });
    await writeFile(again.path("g"), "y");
    expect(await readFile(again.path("g"), "utf8")).toBe("y");
    await again.stop();
  });

  test("an xattr longer than the caller's buffer is ERANGE, and sizes are exact", async () => {
    const mounted = await mount();
    const other = agent();
    await writeFile(mounted.path("f"), "");
    await other.run("os.setxattr(p, 'user.a', b'x' * 3000)", { p: mounted.path("f") });
    const call = (size: number): string =>
      "import ctypes; libc = ctypes.CDLL(None, use_errno=True); " +
      `b = ctypes.create_string_buffer(4000); n = libc.getxattr(os.fsencode(p), b'user.a', b, ${size}); ` +
      "result = [n, ctypes.get_errno() if n < 0 else 0]";
    expect(await other.run(call(0))).toEqual([3000, 0]);
    expect(await other.run(call(16))).toEqual([-1, 34]);
    expect(await other.run(call(3000))).toEqual([3000, 0]);
    expect(
      await other.run(
        "b = ctypes.create_string_buffer(10); result = libc.listxattr(os.fsencode(p), b, 0)",
      ),
    ).toBe(7);
    await other.run("os.setxattr(p, 'user.empty', b'')");
    expect(await other.run("result = len(os.getxattr(p, 'user.empty'))")).toBe(0);
  });

  test("an ordinary user mounts, and what is written reaches the bucket", async () => {
    const user = await startUserMount("--allow-other", "--fuse=native");
    cleanups.push(() => user.stop());
    await writeFile(join(user.mountpoint, "f"), "x");
    await user.pailfs("flush", user.mountpoint);
    expect(await user.admin("keys?prefix=")).toMatchObject([{ key: "f" }]);
    const line = (await readFile("/proc/self/mountinfo", "utf8"))
      .split("\n")
      .find((text) => text.includes(user.mountpoint));
    expect(line).toMatch(/ - fuse.pailfs bucket .*user_id=[1-9]/);
    await user.umount();
    expect(await isMounted(user.mountpoint)).toBe(false);
  });

  test("bytes written and read by many at once are not mixed", async () => {
    const mounted = await mount({ delays: { "file.write": 5, "file.read": 5 } });
    const text = `
      import { readFile, writeFile } from "node:fs/promises";
      const names = Array.from({ length: 16 }, (_, index) => process.argv[1] + "/f" + index);
      await Promise.all(names.map((name, index) => writeFile(name, Buffer.alloc(1_000_000 + index, index + 1))));
      const read = await Promise.all(names.map((name) => readFile(name)));
      for (const [index, bytes] of read.entries()) {
        if (!bytes.equals(Buffer.alloc(1_000_000 + index, index + 1))) console.log("differs", index);
      }`;
    const args = ["--input-type=module", "-e", text, mounted.mountpoint];
    const { stdout } = await run(process.execPath, args, {
      env: { ...process.env, UV_THREADPOOL_SIZE: "16" },
    });
    expect(stdout).toBe("");
    await waitUntil("all are released", async () => (await mounted.counts()).files === 0);
  });
});

async function isRunning(pid: number): Promise<boolean> {
  const state = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => undefined);
  return state !== undefined && !/\) Z /.test(state);
}
