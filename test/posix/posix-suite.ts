// One POSIX suite for every implementation and every way to it. The yardstick is ext4 mounted for all users.
import { afterAll, beforeAll, beforeEach, describe, expect } from "vitest";
import type { PosixDriver } from "./posix-driver.ts";
import { attributeTests } from "./suite/attributes.ts";
import type { SuiteContext } from "./suite/context.ts";
import { dataTests } from "./suite/data.ts";
import { directoryTests } from "./suite/directories.ts";
import { nameTests } from "./suite/names.ts";
import { permissionTests } from "./suite/permissions.ts";
import { renameTests } from "./suite/rename.ts";

/** Tests that are to fail, by title, each with the reason. */
export type ExpectedDifferences = Readonly<Record<string, string>>;

/** Runs the suite on the driver that `driverFactory` makes once; it is closed at the end. A test of `differences` that passes is a failure. */
export function posixSuite(
  name: string,
  driverFactory: () => Promise<PosixDriver>,
  differences: ExpectedDifferences = {},
): void {
  describe(`POSIX, ${name}`, () => {
    const unseen = new Set(Object.keys(differences));
    let driver: PosixDriver | undefined;
    let context: SuiteContext | undefined;
    let directories = 0;

    beforeAll(async () => {
      driver = await driverFactory();
    });
    afterAll(async () => {
      await driver?.close();
      expect([...unseen]).toEqual([]);
    });
    beforeEach(async ({ task }) => {
      if (task.name in differences) Object.assign(task, { fails: true });
      unseen.delete(task.name);
      if (driver === undefined) throw new Error("the driver did not start");
      const own = `/t${++directories}`;
      await driver.mkdir(own);
      context = {
        driver,
        at: (child) => (child === undefined ? own : `${own}/${child}`),
      };
    });
    const current = (): SuiteContext => {
      if (context === undefined) throw new Error("no test is running");
      return context;
    };
    describe("names", () => {
      nameTests(current);
    });
    describe("rename", () => {
      renameTests(current);
    });
    describe("data", () => {
      dataTests(current);
    });
    describe("attributes", () => {
      attributeTests(current);
    });
    describe("directories", () => {
      directoryTests(current);
    });
    describe("permissions", () => {
      permissionTests(current);
    });
  });
}
