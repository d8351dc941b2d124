/* oxlint-disable vitest/expect-expect -- fails() expects */
import { expect, test } from "vitest";
import {
  O_APPEND,
  O_CREAT,
  O_RDONLY,
  O_RDWR,
  O_TRUNC,
  O_WRONLY,
} from "../../../src/posix/open-flags.ts";
import { fails, makeFile, readFile, type SuiteContext, writeFile } from "./context.ts";

/** `length` bytes of which none repeats at a power of two: a wrong offset shows. */
function ramp(length: number): Buffer {
  return Buffer.from(Array.from({ length }, (_, index) => index % 251));
}

/** Bytes of files. */
export function dataTests(context: () => SuiteContext): void {
  test("what was written is read back, in parts and over blocks", async () => {
    const { driver, at } = context();
    const bytes = ramp(300_000);
    await writeFile(driver, at("f"), bytes);
    const file = await driver.open(at("f"), O_RDONLY);
    expect((await file.read(0, 400_000)).equals(bytes)).toBe(true);
    expect((await file.read(131_000, 200)).equals(bytes.subarray(131_000, 131_200))).toBe(true);
    expect(await file.read(300_000, 10)).toHaveLength(0);
    expect(await file.read(2 ** 40, 10)).toHaveLength(0);
    await file.close();
  });

  test("a new file is seen to grow while it is open", async () => {
    const { driver, at } = context();
    const file = await driver.open(at("f"), O_WRONLY | O_CREAT, 0o666);
    await file.write(0, "abc");
    expect((await file.stat()).size).toBe(3);
    expect((await driver.lstat(at("f"))).size).toBe(3);
    expect(await readFile(driver, at("f"))).toBe("abc");
    await file.close();
  });

  test("O_APPEND writes at the end, also after another writer", async () => {
    const { driver, at } = context();
    await writeFile(driver, at("f"), "one");
    const appender = await driver.open(at("f"), O_WRONLY | O_APPEND);
    const other = await driver.open(at("f"), O_RDWR);
    await appender.write(0, "two");
    await other.write(6, "three");
    await appender.write(0, "four");
    await appender.close();
    await other.close();
    expect(await readFile(driver, at("f"))).toBe("onetwothreefour");
  });

  test("O_TRUNC empties a file, and what follows replaces it at close", async () => {
    const { driver, at } = context();
    await writeFile(driver, at("f"), "a long old text");
    const file = await driver.open(at("f"), O_WRONLY | O_TRUNC);
    expect((await file.stat()).size).toBe(0);
    await file.write(0, "new");
    await file.close();
    expect(await readFile(driver, at("f"))).toBe("new");
    expect((await driver.lstat(at("f"))).size).toBe(3);
  });

  test("writing inside an existing file keeps the rest", async () => {
    const { driver, at } = context();
    await writeFile(driver, at("f"), "0123456789");
    const file = await driver.open(at("f"), O_RDWR);
    await file.write(3, "abc");
    expect((await file.read(0, 20)).toString()).toBe("012abc6789");
    await file.close();
    expect(await readFile(driver, at("f"))).toBe("012abc6789");
  });

  test("a write behind the end leaves zeros before it", async () => {
    const { driver, at } = context();
    const file = await driver.open(at("f"), O_RDWR | O_CREAT, 0o666);
    await file.write(10_000, "end");
    expect((await file.stat()).size).toBe(10_003);
    await file.close();
    expect(await readFile(driver, at("f"))).toBe(`${"\0".repeat(10_000)}end`);
  });

  test("truncate shortens, and lengthens with zeros", async () => {
    const { driver, at } = context();
    await writeFile(driver, at("f"), "0123456789");
    await driver.truncate(at("f"), 4);
    expect(await readFile(driver, at("f"))).toBe("0123");
    await driver.truncate(at("f"), 6);
    expect(await readFile(driver, at("f"))).toBe("0123\0\0");
    const file = await driver.open(at("f"), O_RDWR);
    await file.truncate(2);
    expect((await file.read(0, 10)).toString()).toBe("01");
    await file.truncate(3);
    expect((await file.read(0, 10)).toString()).toBe("01\0");
    await file.close();
    expect((await driver.lstat(at("f"))).size).toBe(3);
  });

  test("a file open for reading cannot be written, and the reverse", async () => {
    const { driver, at } = context();
    await writeFile(driver, at("f"), "x");
    const reader = await driver.open(at("f"), O_RDONLY);
    await fails(reader.write(0, "y"), "EBADF");
    await reader.close();
    const writer = await driver.open(at("f"), O_WRONLY);
    await fails(writer.read(0, 1), "EBADF");
    await writer.close();
  });

  test("an unlinked open file goes on without a name", async () => {
    const { driver, at } = context();
    const file = await driver.open(at("f"), O_RDWR | O_CREAT, 0o666);
    await file.write(0, "abc");
    await driver.unlink(at("f"));
    await file.write(3, "def");
    expect((await file.read(0, 10)).toString()).toBe("abcdef");
    const { nlink, size } = await file.stat();
    expect({ nlink, size }).toEqual({ nlink: 0, size: 6 });
    await file.truncate(1);
    expect((await file.stat()).size).toBe(1);
    await makeFile(driver, at("f"));
    expect((await driver.lstat(at("f"))).size).toBe(0);
    await file.close();
    expect([...(await driver.readdir(at())).keys()]).toEqual(["f"]);
  });

  test("fsync makes no difference to what is read", async () => {
    const { driver, at } = context();
    const file = await driver.open(at("f"), O_RDWR | O_CREAT, 0o666);
    await file.sync();
    await file.write(0, "abc");
    await file.sync();
    await file.write(3, "def");
    await file.close();
    expect(await readFile(driver, at("f"))).toBe("abcdef");
  });

  test("files are written side by side without mixing", async () => {
    const { driver, at } = context();
    const names = Array.from({ length: 20 }, (_, index) => `f${index}`);
    await Promise.all(names.map((name) => writeFile(driver, at(name), name.repeat(5000))));
    for (const name of names) expect(await readFile(driver, at(name))).toBe(name.repeat(5000));
  });
}
