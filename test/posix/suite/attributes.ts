/* oxlint-disable vitest/expect-expect -- fails() expects */
import { expect, test } from "vitest";
import { O_CREAT, O_RDONLY, O_RDWR } from "../../../src/posix/open-flags.ts";
import { FileType } from "../../../src/posix/stat.ts";
import type { PosixStat } from "../posix-driver.ts";
import { fails, keptTime, makeFile, nextTime, type SuiteContext, writeFile } from "./context.ts";

/** Which of the three times are later in `after`. */
function changed(before: PosixStat, after: PosixStat): readonly string[] {
  return (["mtime", "ctime"] as const).filter((name) => after[name] > before[name]);
}

/** Modes, owners, times, extended attributes. */
export function attributeTests(context: () => SuiteContext): void {
  test("new names get the mode asked for less the umask", async () => {
    const { driver, at } = context();
    await makeFile(driver, at("f"), 0o777);
    await driver.mkdir(at("d"), 0o777);
    expect((await driver.lstat(at("f"))).mode).toBe(FileType.file | 0o755);
    expect((await driver.lstat(at("d"))).mode).toBe(FileType.directory | 0o755);
    expect(await driver.lstat(at("f"))).toMatchObject({ nlink: 1, uid: 0, gid: 0, size: 0 });
  });

  test("chmod sets all twelve bits and ctime", async () => {
    const { driver, at } = context();
    await makeFile(driver, at("f"));
    for (const mode of [0o6711, 0o1644, 0, 0o7777, 0o600]) {
      const before = await driver.lstat(at("f"));
      await nextTime(driver);
      await driver.chmod(at("f"), mode);
      const after = await driver.lstat(at("f"));
      expect(after.mode).toBe(FileType.file | mode);
      expect(changed(before, after)).toEqual(["ctime"]);
    }
  });

  test("chown sets owner and group, clears setuid and setgid of a file", async () => {
    const { driver, at } = context();
    await makeFile(driver, at("f"));
    await driver.chmod(at("f"), 0o6755);
    await driver.chown(at("f"), 1000, 2000);
    expect(await driver.lstat(at("f"))).toMatchObject({
      uid: 1000,
      gid: 2000,
      mode: FileType.file | 0o755,
    });
    await driver.mkdir(at("d"));
    await driver.chmod(at("d"), 0o2755);
    await driver.chown(at("d"), 1000, 2000);
    expect((await driver.lstat(at("d"))).mode).toBe(FileType.directory | 0o2755);
  });

  test("a setgid directory hands down its group, and the bit to directories", async () => {
    const { driver, at } = context();
    await driver.mkdir(at("d"));
    await driver.chown(at("d"), 0, 2000);
    await driver.chmod(at("d"), 0o2775);
    await makeFile(driver, at("d/f"));
    await driver.mkdir(at("d/e"));
    expect((await driver.lstat(at("d/f"))).gid).toBe(2000);
    const { gid, mode } = await driver.lstat(at("d/e"));
    expect({ gid, mode }).toEqual({ gid: 2000, mode: FileType.directory | 0o2755 });
  });

  test("utimens sets nanoseconds, before 1970 and after 2038 too", async () => {
    const { driver, at } = context();
    await makeFile(driver, at("f"));
    for (const [atime, mtime] of [
      [1_000_000_000_123_456_789n, 2_000_000_000_987_654_321n],
      [-1_500_000_000n, -1n],
      [5_000_000_000_000_000_001n, 0n],
    ] as const) {
      await driver.utimens(at("f"), atime, mtime);
      const { atime: gotAtime, mtime: gotMtime } = await driver.lstat(at("f"));
      expect([gotAtime, gotMtime]).toEqual([atime, mtime]);
    }
  });

  test("an explicit mtime survives close and reopening", async () => {
    const { driver, at } = context();
    await writeFile(driver, at("f"), "x");
    await driver.utimens(at("f"), 1n, 2_000_000_001n);
    const file = await driver.open(at("f"), O_RDONLY);
    await file.close();
    expect((await driver.lstat(at("f"))).mtime).toBe(keptTime(driver, 2_000_000_001n));
  });

  test("write, truncate and O_TRUNC change mtime and ctime", async () => {
    const { driver, at } = context();
    await writeFile(driver, at("f"), "x");
    let before = await driver.lstat(at("f"));
    await nextTime(driver);
    await writeFile(driver, at("f"), "yy");
    let after = await driver.lstat(at("f"));
    expect(changed(before, after)).toEqual(["mtime", "ctime"]);
    before = after;
    await nextTime(driver);
    await driver.truncate(at("f"), 1);
    after = await driver.lstat(at("f"));
    expect(changed(before, after)).toEqual(["mtime", "ctime"]);
  });

  test("making and removing a name changes the directory's times", async () => {
    const { driver, at } = context();
    const steps = [
      () => makeFile(driver, at("f")),
      () => driver.unlink(at("f")),
      () => driver.mkdir(at("d")),
      () => driver.rmdir(at("d")),
      () => driver.symlink("x", at("l")),
    ];
    for (const step of steps) {
      const before = await driver.lstat(at());
      await nextTime(driver);
      await step();
      expect(changed(before, await driver.lstat(at()))).toEqual(["mtime", "ctime"]);
    }
  });

  test("fstat agrees with stat while the file is open", async () => {
    const { driver, at } = context();
    const file = await driver.open(at("f"), O_RDWR | O_CREAT, 0o640);
    await file.write(0, "abc");
    const [one, other] = [await file.stat(), await driver.lstat(at("f"))];
    expect({ ...one, atime: 0n }).toEqual({ ...other, atime: 0n });
    await file.close();
  });

  test("extended attributes are kept, listed, replaced and removed", async () => {
    const { driver, at } = context();
    await makeFile(driver, at("f"));
    await fails(driver.getxattr(at("f"), "user.none"), "ENODATA");
    await driver.setxattr(at("f"), "user.a", "one");
    await driver.setxattr(at("f"), "user.b", "");
    expect((await driver.getxattr(at("f"), "user.a")).toString()).toBe("one");
    expect([...(await driver.listxattr(at("f")))].sort()).toEqual(["user.a", "user.b"]);
    await fails(driver.setxattr(at("f"), "user.a", "x", 1), "EEXIST");
    await fails(driver.setxattr(at("f"), "user.c", "x", 2), "ENODATA");
    const size = driver.largeXattr ?? 3000;
    await driver.setxattr(at("f"), "user.a", "x".repeat(size), 2);
    expect(await driver.getxattr(at("f"), "user.a")).toHaveLength(size);
    await driver.removexattr(at("f"), "user.a");
    await fails(driver.removexattr(at("f"), "user.a"), "ENODATA");
    expect(await driver.listxattr(at("f"))).toEqual(["user.b"]);
  });

  test("directories have extended attributes too", async () => {
    const { driver, at } = context();
    await driver.mkdir(at("d"));
    await driver.setxattr(at("d"), "user.a", "one");
    expect((await driver.getxattr(at("d"), "user.a")).toString()).toBe("one");
  });
}
