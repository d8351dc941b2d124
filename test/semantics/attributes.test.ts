import { readFile as readText } from "node:fs/promises";
import * as fs from "node:fs/promises";
import { expect, test } from "vitest";
import { fileSystemDriver } from "../posix/file-system-driver.ts";
import type { PosixDriver } from "../posix/posix-driver.ts";
import { writeFile } from "../posix/suite/context.ts";
import type { TestCore } from "../support/core.ts";
import { coreOf, onMounts } from "./scene.ts";

const SECOND = 1_000_000_000n;

function driverOf(core: TestCore): PosixDriver {
  return fileSystemDriver(core.core.fileSystem);
}

/** As after a power cut. */
const loseIndex = (core: TestCore): Promise<void> => core.reopen({ lostIndex: true });

onMounts([], (scene) => {
  test("atime is not updated", async () => {
    const { at } = scene();
    await fs.writeFile(at("read"), "x");
    await fs.utimes(at("read"), 1000, 2000);
    for (let i = 0; i < 2; i += 1) {
      expect(await fs.readFile(at("read"), "utf8")).toBe("x");
      expect((await fs.stat(at("read"))).atimeMs).toBe(1_000_000);
    }
  });

  test("Directories have two links and 4096 bytes", async () => {
    const { at } = scene();
    await fs.mkdir(at("links/a/b"), { recursive: true });
    await fs.mkdir(at("links/c"));
    const { nlink, size } = await fs.stat(at("links"));
    expect({ nlink, size }).toEqual({ nlink: 2, size: 4096 });
  });

  test("statfs shows no limit", async () => {
    const { bsize, blocks, bavail, files } = await fs.statfs(scene().mount.mountpoint);
    expect({ bytes: bsize * blocks, free: bsize * bavail, files }).toEqual({
      bytes: 2 ** 50,
      free: 2 ** 50,
      files: 1e9,
    });
  });

  test("Only user attributes are kept", async () => {
    const { agent, at } = scene();
    const p = at("attributed");
    await fs.writeFile(p, "x");
    const set = (n: string, size = 3): Promise<unknown> =>
      agent.run("os.setxattr(p, n, b'v' * s)", { p, n, s: size });
    await set("user.small");
    await set("user.large", 65_536);
    await set("trusted.root");
    const listed = await agent.run("result = sorted(os.listxattr(p))", { p });
    expect(listed).toEqual(["trusted.root", "user.large", "user.small"]);
    for (const name of ["security.label", "system.other"]) {
      await expect(set(name)).rejects.toMatchObject({ code: "EOPNOTSUPP" });
    }
  });

  test("set-id bits have no effect", async () => {
    const { mount, at } = scene();
    await fs.writeFile(at("privileged"), "x");
    await fs.chmod(at("privileged"), 0o4755);
    expect((await fs.stat(at("privileged"))).mode & 0o7777).toBe(0o4755);
    const mounts = await readText("/proc/self/mounts", "utf8");
    const line = mounts.split("\n").find((text) => text.includes(` ${mount.mountpoint} `));
    expect(line).toMatch(/nosuid,nodev/);
  });
});

test("Modes, owners and times are kept on this host", async () => {
  const core = await coreOf();
  await writeFile(driverOf(core), "/f", "x");
  await core.core.drained();
  await driverOf(core).chmod("/f", 0o640);
  await driverOf(core).chown("/f", 5, 6);
  await driverOf(core).utimens("/f", SECOND, 2n * SECOND);
  await driverOf(core).setxattr("/f", "user.x", "value");
  await loseIndex(core);
  const { mode, uid, gid, atime, mtime } = await driverOf(core).lstat("/f");
  expect({ mode: mode & 0o7777, uid, gid, atime, mtime }).toEqual({
    mode: 0o640,
    uid: 5,
    gid: 6,
    atime: SECOND,
    mtime: 2n * SECOND,
  });
  expect((await driverOf(core).getxattr("/f", "user.x")).toString()).toBe("value");
  await core.reopen({ freshState: true });
  const other = await driverOf(core).lstat("/f");
  expect({ mode: other.mode & 0o7777, uid: other.uid }).toEqual({ mode: 0o644, uid: 0 });
  expect(other.mtime).toBeGreaterThan(1_000_000_000n * SECOND);
});

test("Objects without attributes belong to uid and gid", async () => {
  const core = await coreOf({ uid: "33", gid: "44", "file-mode": "0640", "dir-mode": "0750" });
  core.s3.putText("d/f", "x");
  const shown = async (path: string): Promise<object> => {
    const { uid, gid, mode } = await driverOf(core).lstat(path);
    return { uid, gid, mode: mode & 0o7777 };
  };
  expect(await shown("/d/f")).toEqual({ uid: 33, gid: 44, mode: 0o640 });
  expect(await shown("/d")).toEqual({ uid: 33, gid: 44, mode: 0o750 });
  // the driver calls as root
  await writeFile(driverOf(core), "/d/own", "x");
  expect(await shown("/d/own")).toEqual({ uid: 0, gid: 0, mode: 0o644 });
});

test("mtime is the time of the upload once the index is lost", async () => {
  const core = await coreOf();
  const { objects } = core.s3.bucket;
  for (const path of ["/plain", "/set"]) await writeFile(driverOf(core), path, "x");
  await driverOf(core).utimens("/set", 7n * SECOND, 7n * SECOND);
  await core.core.drained();
  for (const key of ["plain", "set"]) {
    const object = objects.get(key);
    if (object) objects.put({ ...object, lastModified: 1_000_000_000_000 });
  }
  const time = async (path: string): Promise<bigint> => (await driverOf(core).lstat(path)).mtime;
  expect(await time("/plain")).toBeGreaterThan(1_000_000_000n * SECOND);
  await loseIndex(core);
  expect(await time("/plain")).toBe(1_000_000_000n * SECOND);
  expect((await driverOf(core).lstat("/plain")).ctime).toBe(1_000_000_000n * SECOND);
  expect(await time("/set")).toBe(7n * SECOND);
});

test("Inode numbers last as long as the index", async () => {
  const core = await coreOf();
  core.s3.putText("f", "x");
  const ino = async (path: string): Promise<number> => (await driverOf(core).lstat(path)).ino;
  const before = await ino("/f");
  await driverOf(core).rename("/f", "/g");
  await core.core.drained();
  await core.reopen({ emptyCache: true });
  expect(await ino("/g")).toBe(before);
  await writeFile(driverOf(core), "/h", "x");
  expect(await ino("/h")).toBeGreaterThan(before);
  await core.core.drained();
  await loseIndex(core);
  expect(await ino("/g")).toBeGreaterThan(before);
});
