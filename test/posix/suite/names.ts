/* oxlint-disable vitest/expect-expect -- fails() expects */
import { expect, test } from "vitest";
import { O_CREAT, O_EXCL, O_RDONLY, O_RDWR } from "../../../src/posix/open-flags.ts";
import { FileType } from "../../../src/posix/stat.ts";
import { fails, makeFile, readFile, type SuiteContext, writeFile } from "./context.ts";

/** Creating and removing names. */
export function nameTests(context: () => SuiteContext): void {
  const here = (): SuiteContext => context();

  test("an absent name is ENOENT, so is one below it", async () => {
    const { driver, at } = here();
    await fails(driver.lstat(at("none")), "ENOENT");
    await fails(driver.lstat(at("none/below")), "ENOENT");
    await fails(driver.open(at("none"), O_RDONLY), "ENOENT");
    await fails(driver.unlink(at("none")), "ENOENT");
    await fails(driver.rmdir(at("none")), "ENOENT");
    await fails(driver.mkdir(at("none/below")), "ENOENT");
  });

  test("a name below a file is ENOTDIR", async () => {
    const { driver, at } = here();
    await makeFile(driver, at("f"));
    await fails(driver.lstat(at("f/x")), "ENOTDIR");
    await fails(driver.mkdir(at("f/x")), "ENOTDIR");
    await fails(driver.open(at("f/x"), O_RDWR | O_CREAT), "ENOTDIR");
  });

  test("a name of 255 bytes works, of 256 is ENAMETOOLONG", async () => {
    const { driver, at } = here();
    const longest = "ä".repeat(127) + "x";
    await makeFile(driver, at(longest));
    expect((await driver.lstat(at(longest))).size).toBe(0);
    expect([...(await driver.readdir(at())).keys()]).toEqual([longest]);
    await fails(driver.lstat(at(`${longest}x`)), "ENAMETOOLONG");
    await fails(makeFile(driver, at(`${longest}x`)), "ENAMETOOLONG");
    await fails(driver.mkdir(at(`${longest}x`)), "ENAMETOOLONG");
    await fails(driver.rename(at(longest), at(`${longest}x`)), "ENAMETOOLONG");
  });

  test.each([
    "-dash",
    "trailing.",
    ".fuse_hidden1",
    "new\nline",
    "a b",
    "%2f",
    "\\",
    "U+FFFD \uFFFD",
  ])("the name %j is taken as it is", async (name) => {
    const { driver, at } = here();
    await writeFile(driver, at(name), "x");
    expect([...(await driver.readdir(at())).keys()]).toEqual([name]);
    expect(await readFile(driver, at(name))).toBe("x");
    await driver.unlink(at(name));
  });

  test("O_EXCL on a name that is there is EEXIST, whatever it is", async () => {
    const { driver, at } = here();
    await makeFile(driver, at("f"));
    await driver.mkdir(at("d"));
    await driver.symlink("nowhere", at("l"));
    for (const name of ["f", "d", "l"]) {
      await fails(driver.open(at(name), O_RDWR | O_CREAT | O_EXCL), "EEXIST");
      await fails(driver.mkdir(at(name)), "EEXIST");
      await fails(driver.symlink("x", at(name)), "EEXIST");
      await fails(driver.mknod(at(name), FileType.fifo | 0o644), "EEXIST");
    }
  });

  test("a directory cannot be opened for writing or unlinked", async () => {
    const { driver, at } = here();
    await driver.mkdir(at("d"));
    await fails(driver.open(at("d"), O_RDWR), "EISDIR");
    await fails(driver.unlink(at("d")), "EISDIR");
  });

  test("rmdir refuses what is not empty or no directory", async () => {
    const { driver, at } = here();
    await driver.mkdir(at("d"));
    await makeFile(driver, at("d/f"));
    await fails(driver.rmdir(at("d")), "ENOTEMPTY");
    await fails(driver.rmdir(at("d/f")), "ENOTDIR");
    await driver.unlink(at("d/f"));
    await driver.rmdir(at("d"));
    await fails(driver.lstat(at("d")), "ENOENT");
  });

  test("a fifo, a socket and a regular file can be made by mknod", async () => {
    const { driver, at } = here();
    for (const type of [FileType.fifo, FileType.socket, FileType.file]) {
      await driver.mknod(at("n"), type | 0o640);
      expect((await driver.lstat(at("n"))).mode).toBe(type | 0o640);
      expect(await driver.readdir(at())).toEqual(new Map([["n", type]]));
      await driver.unlink(at("n"));
    }
  });

  test("a hard link is EPERM", async () => {
    const { driver, at } = here();
    await makeFile(driver, at("f"));
    await fails(driver.link(at("f"), at("g")), "EPERM");
    expect((await driver.lstat(at("f"))).nlink).toBe(1);
  });

  test("a symlink keeps its target byte for byte, and its size is the target's", async () => {
    const { driver, at } = here();
    for (const target of ["x", "../ä/.", "t".repeat(4095)]) {
      await driver.symlink(target, at("l"));
      expect(await driver.readlink(at("l"))).toBe(target);
      const { mode, size } = await driver.lstat(at("l"));
      expect(mode & FileType.mask).toBe(FileType.symlink);
      expect(size).toBe(Buffer.byteLength(target));
      await driver.unlink(at("l"));
    }
  });

  test("readlink of a file is EINVAL", async () => {
    const { driver, at } = here();
    await makeFile(driver, at("f"));
    await fails(driver.readlink(at("f")), "EINVAL");
  });

  test("a loop of symlinks is ELOOP", async (task) => {
    const { driver, at } = here();
    task.skip(!driver.viaKernel, "only the kernel follows symlinks");
    await driver.symlink("b", at("a"));
    await driver.symlink("a", at("b"));
    await fails(driver.open(at("a"), O_RDONLY), "ELOOP");
    await fails(driver.lstat(at("a/x")), "ELOOP");
  });

  test("a symlink to a directory is followed in the middle of a path", async (task) => {
    const { driver, at } = here();
    task.skip(!driver.viaKernel, "only the kernel follows symlinks");
    await driver.mkdir(at("d"));
    await driver.symlink("d", at("l"));
    await writeFile(driver, at("l/f"), "x");
    expect(await readFile(driver, at("d/f"))).toBe("x");
  });

  test("of 16 racing O_EXCL creators one wins", async () => {
    const { driver, at } = here();
    const attempts = Array.from({ length: 16 }, () => makeFile(driver, at("race")));
    const outcomes = await Promise.allSettled(attempts);
    expect(outcomes.filter((outcome) => outcome.status === "fulfilled")).toHaveLength(1);
    const reasons = outcomes.flatMap((outcome) =>
      outcome.status === "rejected" ? [(outcome.reason as { code?: string }).code] : [],
    );
    expect(reasons).toEqual(Array.from({ length: 15 }, () => "EEXIST"));
  });
}
