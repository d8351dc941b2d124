import { expect, test } from "vitest";
import { FileType } from "../../../src/posix/stat.ts";
import { makeFile, type SuiteContext } from "./context.ts";

/** Listing. */
export function directoryTests(context: () => SuiteContext): void {
  test("an empty directory lists nothing and has two links", async () => {
    const { driver, at } = context();
    await driver.mkdir(at("d"));
    expect((await driver.readdir(at("d"))).size).toBe(0);
    expect((await driver.lstat(at("d"))).nlink).toBe(2);
  });

  test("a listing tells each name once, with its type", async () => {
    const { driver, at } = context();
    await makeFile(driver, at("f"));
    await driver.mkdir(at("d"));
    await driver.symlink("x", at("l"));
    await driver.mknod(at("p"), FileType.fifo | 0o600);
    await driver.mknod(at("s"), FileType.socket | 0o600);
    expect(await driver.readdir(at())).toEqual(
      new Map([
        ["d", FileType.directory],
        ["f", FileType.file],
        ["l", FileType.symlink],
        ["p", FileType.fifo],
        ["s", FileType.socket],
      ]),
    );
  });

  // each file is synced to the disk, one after the other
  test("a listing of 3000 names is complete", { timeout: 180_000 }, async () => {
    const { driver, at } = context();
    const names = Array.from({ length: 3000 }, (_, index) => `name-${index}`);
    for (const name of names) await makeFile(driver, at(name));
    expect([...(await driver.readdir(at())).keys()].toSorted()).toEqual(names.toSorted());
  });

  test("a listing follows creates, removals and renames at once", async () => {
    const { driver, at } = context();
    await makeFile(driver, at("a"));
    await makeFile(driver, at("b"));
    await driver.rename(at("a"), at("c"));
    await driver.unlink(at("b"));
    await makeFile(driver, at("d"));
    expect([...(await driver.readdir(at())).keys()].sort()).toEqual(["c", "d"]);
  });
}
