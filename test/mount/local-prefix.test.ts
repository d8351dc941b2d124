// A local prefix through each adapter, and what the commands say of it.
import * as fs from "node:fs/promises";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { Agent } from "../support/mount/agent.ts";
import { waitUntil } from "../support/mount/wait-until.ts";
import { runsNative } from "../support/native.ts";
import { type RealMount, startRealMount, startUserMount } from "../support/real-mount.ts";

const running: RealMount[] = [];
afterEach(async () => {
  for (const mount of running.splice(0)) await mount.stop();
});

async function start(...options: string[]): Promise<RealMount> {
  const mount = await startRealMount(...options);
  running.push(mount);
  return mount;
}

describe.each(["kernel", "native"])("fuse=%s", (adapter) => {
  test.skipIf(adapter === "native" && !runsNative)(
    "files and directories of a local prefix work and outlive the mount",
    async () => {
      const mount = await start("--local-prefix=kept", `--fuse=${adapter}`, "--allow-other");
      const at = (name: string): string => join(mount.mountpoint, name);
      const agent = new Agent();
      await mount.requests();
      try {
        await fs.mkdir(at("kept/a/b"), { recursive: true });
        const bytes = Buffer.alloc(3 * 2 ** 20, "0123456789");
        await fs.writeFile(at("kept/a/b/big"), bytes);
        await fs.appendFile(at("kept/a/b/big"), "end");
        await fs.truncate(at("kept/a/b/big"), bytes.length + 1);
        await fs.rename(at("kept/a"), at("kept/c"));
        await fs.symlink("b/big", at("kept/c/link"));
        await agent.run("os.setxattr(p, 'user.k', b'v')", { p: at("kept/c/link") });
        await agent.run("os.mkfifo(p)", { p: at("kept/c/fifo") });
        const { ino } = await fs.stat(at("kept/c/b/big"));
        const names = await fs.readdir(at("kept/c"), { withFileTypes: true });
        expect(names.map((name) => name.name).sort()).toEqual(["b", "fifo", "link"]);
        expect(names.find((name) => name.name === "fifo")?.isFIFO()).toBe(true);
        const open = await fs.open(at("kept/c/b/big"), "r+");
        await fs.unlink(at("kept/c/link"));
        await expect(fs.rmdir(at("kept/c"))).rejects.toMatchObject({ code: "ENOTEMPTY" });
        await expect(fs.rename(at("kept/c"), at("c"))).rejects.toMatchObject({ code: "EXDEV" });
        await open.write("X", 0);
        await open.close();
        await mount.umount();
        await mount.mount();
        const after = await fs.readFile(at("kept/c/b/big"));
        expect(after.subarray(0, 3).toString()).toBe("X12");
        expect(after.length).toBe(bytes.length + 1);
        if (adapter === "kernel") expect((await fs.stat(at("kept/c/b/big"))).ino).toBe(ino);
        const value = await agent.run("result = os.getxattr(p, 'user.k').decode()", {
          p: at("kept/c/b/big"),
        });
        expect(value).toBe("v");
      } finally {
        await agent.stop();
      }
      const { PUT = 0, DELETE = 0 } = await mount.requests();
      expect([PUT, DELETE]).toEqual([0, 0]);
    },
  );
});

test("a local prefix of an ordinary user's mount is that user's", async () => {
  const mount = await startUserMount("--local-prefix=kept", "--allow-other");
  running.push(mount);
  const at = (name: string): string => join(mount.mountpoint, name);
  await fs.mkdir(at("kept"), { mode: 0o700 });
  await fs.writeFile(at("kept/a"), "text");
  await fs.chmod(at("kept/a"), 0o600);
  const { uid, mode } = await fs.stat(at("kept/a"));
  // who made it was root, and the daemon may not give away
  expect([uid, mode & 0o777]).toEqual([1, 0o600]);
  await expect(fs.chown(at("kept/a"), 0, 0)).rejects.toMatchObject({ code: "EPERM" });
  await fs.rename(at("kept/a"), at("kept/b"));
  expect(await fs.readFile(at("kept/b"), "utf8")).toBe("text");
  await fs.rm(at("kept"), { recursive: true });
});

test("status shows what is kept, config who says so", async () => {
  const mount = await start("--preset=synapse");
  await fs.mkdir(join(mount.mountpoint, "url_cache/2026-01-01"), { recursive: true });
  await fs.writeFile(join(mount.mountpoint, "url_cache/2026-01-01/a"), Buffer.alloc(10_000));
  await waitUntil("status counts the file", async () =>
    (await mount.pailfs("status", mount.mountpoint)).includes("in 1 files"),
  );
  const config = await mount.pailfs("config", "b", "--preset=synapse", "--publish-delay=5s");
  expect(config).toMatch(/^local_prefix +url_cache,url_cache_thumbnails +preset synapse$/m);
  expect(config).toMatch(/^sharing +exclusive +preset synapse$/m);
  expect(config).toMatch(/^allow_other +yes +preset synapse$/m);
  expect(config).toMatch(/^publish_delay +5s +--publish-delay$/m);
});
