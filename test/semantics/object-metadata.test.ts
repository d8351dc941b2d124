// The paragraphs about --metadata=object.
import * as fs from "node:fs/promises";
import { expect, test } from "vitest";
import { fileSystemDriver } from "../posix/file-system-driver.ts";
import type { PosixDriver } from "../posix/posix-driver.ts";
import { FileType } from "../../src/posix/stat.ts";
import { writeFile } from "../posix/suite/context.ts";
import type { TestCore } from "../support/core.ts";
import { coreOf, onMounts } from "./scene.ts";

const SECOND = 1_000_000_000n;

function driverOf(core: TestCore): PosixDriver {
  return fileSystemDriver(core.core.fileSystem);
}

function putWith(core: TestCore, key: string, text: string, meta: Record<string, string>): void {
  core.s3.putText(key, text);
  const object = core.s3.bucket.objects.get(key);
  const named = Object.entries(meta).map(([name, value]) => [`x-amz-meta-${name}`, value]);
  if (object) core.s3.bucket.put({ ...object, headers: Object.fromEntries(named) });
}

onMounts(["--metadata=object"], (scene) => {
  test("With metadata=object attributes are in the bucket", async () => {
    const { at, mount, keys, flush, get } = scene();
    await fs.mkdir(at("d"), { mode: 0o750 });
    await fs.writeFile(at("d/f"), "text", { mode: 0o640 });
    await fs.utimes(at("d/f"), 1000.5, 2000.25);
    await fs.symlink("f", at("d/l"));
    await flush();
    // past the time in which a change would go with the upload
    await fs.chown(at("d/f"), 7, 8);
    expect(await keys("d")).toEqual(["d/", "d/f", "d/l"]);
    expect(await get("d/l")).toBe("f");
    await mount.umount();
    for (const folder of [mount.stateDirectory, mount.cacheDirectory]) {
      await fs.rm(folder, { recursive: true });
    }
    await mount.mount();
    const { mode, uid, gid, mtimeMs, atimeMs } = await fs.stat(at("d/f"));
    expect({ mode, uid, gid, mtimeMs, atimeMs }).toEqual({
      mode: FileType.file | 0o640,
      uid: 7,
      gid: 8,
      mtimeMs: 2_000_250,
      atimeMs: 1_000_500,
    });
    expect(await fs.readlink(at("d/l"))).toBe("f");
    expect(await fs.readFile(at("d/l"), "utf8")).toBe("text");
    expect((await fs.stat(at("d"))).mode & 0o7777).toBe(0o750);
    await fs.rm(at("d"), { recursive: true });
    await flush();
    expect(await keys("d")).toEqual([]);
  });
});

test("With metadata=object changes cost a copy, and reading attributes a HEAD", async () => {
  const core = await coreOf({ metadata: "object", "stat-cache-ttl": "0s" });
  const driver = driverOf(core);
  await driver.readdir("/");
  core.s3.reset();
  await writeFile(driver, "/f", "text");
  await driver.chmod("/f", 0o600);
  await driver.utimens("/f", SECOND, SECOND);
  await core.core.drained();
  const { PUT, COPY = 0 } = core.s3.counts;
  expect({ PUT, COPY }).toEqual({ PUT: 1, COPY: 0 });
  core.s3.reset();
  await driver.chmod("/f", 0o640);
  await core.core.drained();
  expect(core.s3.counts.COPY).toBe(1);
  for (let i = 0; i < 9; i += 1) putWith(core, `g${i}`, "x", { mode: "33152" });
  for (const heads of [9, 0]) {
    core.s3.reset();
    await driver.readdir("/");
    const { LIST, HEAD = 0 } = core.s3.counts;
    expect({ LIST, HEAD }).toEqual({ LIST: 1, HEAD: heads });
  }
});

test("Metadata of other tools is read with metadata=object only", async () => {
  for (const metadata of ["object", "index"]) {
    const core = await coreOf({ metadata });
    putWith(core, "s3fs", "x", { mode: "33152", uid: "5", mtime: "1000.5" });
    putWith(core, "aws", "x", {
      "file-permissions": "0100600",
      "file-owner": "5",
      "file-mtime": "1000500000000ns",
    });
    putWith(core, "rclone", "x", { mtime: "1000.500000000" });
    const isRead = metadata === "object";
    for (const name of ["s3fs", "aws", "rclone"]) {
      const { mode, uid, mtime } = await driverOf(core).lstat(`/${name}`);
      expect(mtime === 1000n * SECOND + SECOND / 2n, name).toBe(isRead);
      if (name === "rclone") continue;
      expect({ mode: mode & 0o7777, uid }).toEqual(
        isRead ? { mode: 0o600, uid: 5 } : { mode: 0o644, uid: 0 },
      );
    }
  }
});

test("Metadata that makes no sense is not used", async () => {
  const core = await coreOf({ metadata: "object", uid: "9" });
  putWith(core, "f", "x", { mode: "rw-r--r--", uid: "-7", mtime: "soon" });
  putWith(core, "setuid", "x", { mode: String(FileType.file | 0o4755) });
  putWith(core, "empty", "", { mode: String(FileType.symlink | 0o777) });
  const driver = driverOf(core);
  expect(await driver.lstat("/f")).toMatchObject({ mode: FileType.file | 0o644, uid: 9 });
  expect((await driver.lstat("/setuid")).mode).toBe(FileType.file | 0o755);
  expect((await driver.lstat("/empty")).mode & FileType.mask).toBe(FileType.file);
});

test("Objects have room for 2 KB of attributes", async () => {
  const core = await coreOf({ metadata: "object" });
  const driver = driverOf(core);
  await writeFile(driver, "/f", "text");
  await driver.setxattr("/f", "user.small", "x".repeat(1000));
  const large = driver.setxattr("/f", "user.large", "x".repeat(1000));
  await expect(large).rejects.toMatchObject({ code: "ENOSPC" });
});
