/* oxlint-disable vitest/expect-expect -- fails() expects */
import { expect, test } from "vitest";
import { O_CREAT, O_RDONLY, O_RDWR, O_TRUNC, O_WRONLY } from "../../../src/posix/open-flags.ts";
import { FileType } from "../../../src/posix/stat.ts";
import { fails, makeFile, type SuiteContext, writeFile } from "./context.ts";

const USER = 12345;
const OTHER = 12346;

/** What other users than root may do. */
export function permissionTests(context: () => SuiteContext): void {
  test("a new file belongs to the one who made it", async (task) => {
    const { driver, at } = context();
    task.skip(!driver.viaKernel, "needs users");
    await driver.chmod(at(), 0o777);
    const user = await driver.as(USER, USER + 1);
    const file = await user.open(at("f"), O_WRONLY | O_CREAT, 0o666);
    await file.close();
    await user.mkdir(at("d"));
    for (const name of ["f", "d"]) {
      expect(await driver.lstat(at(name))).toMatchObject({ uid: USER, gid: USER + 1 });
    }
  });

  test("modes are checked: EACCES without the bit, EPERM without ownership", async (task) => {
    const { driver, at } = context();
    task.skip(!driver.viaKernel, "needs users");
    await writeFile(driver, at("f"), "x");
    await driver.chmod(at("f"), 0o640);
    const user = await driver.as(USER, USER);
    await fails(user.open(at("f"), O_RDONLY), "EACCES");
    await driver.chmod(at("f"), 0o644);
    const file = await user.open(at("f"), O_RDONLY);
    expect((await file.read(0, 1)).toString()).toBe("x");
    await file.close();
    await fails(user.open(at("f"), O_RDWR), "EACCES");
    await fails(user.open(at("new"), O_WRONLY | O_CREAT, 0o666), "EACCES");
    await fails(user.unlink(at("f")), "EACCES");
    await fails(user.chmod(at("f"), 0o777), "EPERM");
    await fails(user.chown(at("f"), USER, USER), "EPERM");
    await fails(user.utimens(at("f"), 0n, 0n), "EPERM");
  });

  test("in a sticky directory only owners remove and rename", async (task) => {
    const { driver, at } = context();
    task.skip(!driver.viaKernel, "needs users");
    await driver.chmod(at(), 0o1777);
    const user = await driver.as(USER, USER);
    const other = await driver.as(OTHER, OTHER);
    const file = await user.open(at("f"), O_WRONLY | O_CREAT, 0o666);
    await file.close();
    await fails(other.unlink(at("f")), "EPERM");
    await fails(other.rename(at("f"), at("g")), "EPERM");
    await user.rename(at("f"), at("g"));
    await user.unlink(at("g"));
  });

  test("a write by another user clears setuid and setgid", async (task) => {
    const { driver, at } = context();
    task.skip(!driver.viaKernel, "needs users");
    const user = await driver.as(USER, USER);
    await makeFile(driver, at("f"));
    await driver.chmod(at("f"), 0o6777);
    const file = await user.open(at("f"), O_WRONLY);
    await file.write(0, "x");
    await file.close();
    expect((await driver.lstat(at("f"))).mode).toBe(FileType.file | 0o777);
  });

  test("a truncation by another user clears setuid and setgid", async (task) => {
    const { driver, at } = context();
    task.skip(!driver.viaKernel, "needs users");
    const user = await driver.as(USER, USER);
    await writeFile(driver, at("f"), "abc");
    await driver.chmod(at("f"), 0o6777);
    await user.truncate(at("f"), 1);
    expect((await driver.lstat(at("f"))).mode).toBe(FileType.file | 0o777);
    await driver.chmod(at("f"), 0o6777);
    const file = await user.open(at("f"), O_WRONLY | O_TRUNC);
    await file.close();
    expect((await driver.lstat(at("f"))).mode).toBe(FileType.file | 0o777);
  });

  test("chown by the owner to a group of others is EPERM", async (task) => {
    const { driver, at } = context();
    task.skip(!driver.viaKernel, "needs users");
    await driver.chmod(at(), 0o777);
    const user = await driver.as(USER, USER);
    const file = await user.open(at("f"), O_WRONLY | O_CREAT, 0o666);
    await file.close();
    await fails(user.chown(at("f"), -1, OTHER), "EPERM");
    await user.chmod(at("f"), 0o600);
    expect((await driver.lstat(at("f"))).mode).toBe(FileType.file | 0o600);
  });
}
