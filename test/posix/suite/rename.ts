/* oxlint-disable vitest/expect-expect -- fails() expects */
import { expect, test } from "vitest";
import { O_CREAT, O_RDONLY, O_RDWR } from "../../../src/posix/open-flags.ts";
import { fails, makeFile, nextTime, readFile, type SuiteContext, writeFile } from "./context.ts";

const NOREPLACE = 1;
const EXCHANGE = 2;

/** rename(2) and renameat2(2). */
export function renameTests(context: () => SuiteContext): void {
  test("a file moves, keeps its inode and replaces a file", async () => {
    const { driver, at } = context();
    await writeFile(driver, at("a"), "one");
    await writeFile(driver, at("b"), "two");
    const { ino } = await driver.lstat(at("a"));
    await driver.rename(at("a"), at("b"));
    expect(await readFile(driver, at("b"))).toBe("one");
    expect((await driver.lstat(at("b"))).ino).toBe(ino);
    await fails(driver.lstat(at("a")), "ENOENT");
  });

  test("a directory moves with all below it", async () => {
    const { driver, at } = context();
    await driver.mkdir(at("d"));
    await driver.mkdir(at("d/e"));
    await writeFile(driver, at("d/e/f"), "x");
    await driver.rename(at("d"), at("g"));
    expect(await readFile(driver, at("g/e/f"))).toBe("x");
    await fails(driver.lstat(at("d/e/f")), "ENOENT");
    await driver.mkdir(at("d"));
    await driver.rename(at("g"), at("d"));
    expect(await readFile(driver, at("d/e/f"))).toBe("x");
  });

  test("types must fit: EISDIR, ENOTDIR, ENOTEMPTY", async () => {
    const { driver, at } = context();
    await makeFile(driver, at("f"));
    await driver.mkdir(at("d"));
    await driver.mkdir(at("full"));
    await makeFile(driver, at("full/x"));
    await fails(driver.rename(at("f"), at("d")), "EISDIR");
    await fails(driver.rename(at("d"), at("f")), "ENOTDIR");
    await fails(driver.rename(at("d"), at("full")), "ENOTEMPTY");
    await fails(driver.rename(at("none"), at("f")), "ENOENT");
    await fails(driver.rename(at("f"), at("none/f")), "ENOENT");
  });

  test("a directory cannot move below itself", async () => {
    const { driver, at } = context();
    await driver.mkdir(at("d"));
    await fails(driver.rename(at("d"), at("d/e")), "EINVAL");
  });

  test("a rename onto itself changes nothing", async () => {
    const { driver, at } = context();
    await writeFile(driver, at("a"), "x");
    await driver.rename(at("a"), at("a"));
    expect(await readFile(driver, at("a"))).toBe("x");
  });

  test("NOREPLACE refuses a name that is there, and moves to one that is not", async () => {
    const { driver, at } = context();
    await writeFile(driver, at("a"), "one");
    await writeFile(driver, at("b"), "two");
    await fails(driver.rename(at("a"), at("b"), NOREPLACE), "EEXIST");
    expect(await readFile(driver, at("b"))).toBe("two");
    await driver.rename(at("a"), at("c"), NOREPLACE);
    expect(await readFile(driver, at("c"))).toBe("one");
  });

  test("EXCHANGE swaps a file and a directory, or is refused", async () => {
    const { driver, at } = context();
    await writeFile(driver, at("a"), "one");
    await driver.mkdir(at("d"));
    await makeFile(driver, at("d/x"));
    if (driver.canExchange === false) {
      await fails(driver.rename(at("a"), at("d"), EXCHANGE), "EINVAL");
      expect(await readFile(driver, at("a"))).toBe("one");
      return;
    }
    await driver.rename(at("a"), at("d"), EXCHANGE);
    expect(await readFile(driver, at("d"))).toBe("one");
    expect([...(await driver.readdir(at("a"))).keys()]).toEqual(["x"]);
    await fails(driver.rename(at("a"), at("none"), EXCHANGE), "ENOENT");
  });

  test("an open file goes on after its directory was renamed", async () => {
    const { driver, at } = context();
    await driver.mkdir(at("d"));
    const file = await driver.open(at("d/f"), O_RDWR | O_CREAT, 0o666);
    await file.write(0, "before ");
    await driver.rename(at("d"), at("e"));
    await file.write(7, "after");
    expect((await file.stat()).size).toBe(12);
    await file.close();
    expect(await readFile(driver, at("e/f"))).toBe("before after");
  });

  test("an open file that was replaced by a rename keeps its bytes", async () => {
    const { driver, at } = context();
    await writeFile(driver, at("old"), "old");
    await writeFile(driver, at("new"), "newer");
    const file = await driver.open(at("old"), O_RDONLY);
    await driver.rename(at("new"), at("old"));
    expect((await file.read(0, 10)).toString()).toBe("old");
    expect((await file.stat()).nlink).toBe(0);
    await file.close();
    expect(await readFile(driver, at("old"))).toBe("newer");
  });

  test("rename changes ctime of what moved and both directories' times", async () => {
    const { driver, at } = context();
    await driver.mkdir(at("d"));
    await makeFile(driver, at("f"));
    const [file, from, to] = await Promise.all(
      [at("f"), at(), at("d")].map((path) => driver.lstat(path)),
    );
    await nextTime(driver);
    await driver.rename(at("f"), at("d/f"));
    expect((await driver.lstat(at("d/f"))).ctime > (file?.ctime ?? 0n)).toBe(true);
    expect((await driver.lstat(at())).mtime > (from?.mtime ?? 0n)).toBe(true);
    expect((await driver.lstat(at("d"))).mtime > (to?.mtime ?? 0n)).toBe(true);
  });
}
