// What mount-native.ts itself sees to: the mount's beginning and end. What programs see is in posix/ and semantics/.
import { execFile } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import {
  type ChildMount,
  isMounted,
  type MountInChildOptions,
} from "../support/mount/mount-in-child.ts";
import { waitUntil } from "../support/mount/wait-until.ts";
import { runsNative } from "../support/native.ts";
import { startUserMount } from "../support/real-mount.ts";
import { lifeSuite } from "./life-suite.ts";
import { afterTest, agent, mount as mountAny, mountLine } from "./mount-fixture.ts";

const run = promisify(execFile);
async function mount(options: MountInChildOptions = {}): Promise<ChildMount> {
  return mountAny({ native: true, ...options });
}

describe.skipIf(!runsNative)("fuse=native", () => {
  lifeSuite(mount);

  test("the mount table shows type fuse.pailfs and the source as it was given", async () => {
    const source = String.raw`s3://bucket/a b,c\d`;
    const { mountpoint } = await mount({ mount: { source } });
    const line = await mountLine(mountpoint);
    expect(line).toContain(String.raw` - fuse.pailfs s3://bucket/a\040b,c\134d `);
    expect(line).toMatch(/nosuid,nodev/);
  });

  test("umount(8) from outside ends the session and the process", async () => {
    const mounted = await mount();
    await run("umount", [mounted.mountpoint]);
    await mounted.closed;
    await waitUntil("the daemon ends by itself", async () => !(await isRunning(mounted.pid)));
  });

  test("a mountpoint in use is refused, and what is there stays", async () => {
    const mounted = await mount();
    const again = mount({ mount: { mountpoint: mounted.mountpoint } });
    await expect(again).rejects.toThrow(/is mounted/);
    expect(await isMounted(mounted.mountpoint)).toBe(true);
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
    afterTest(() => user.stop());
    await writeFile(join(user.mountpoint, "f"), "x");
    await user.pailfs("flush", user.mountpoint);
    expect(await user.admin("keys?prefix=")).toMatchObject([{ key: "f" }]);
    const line = await mountLine(user.mountpoint);
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
