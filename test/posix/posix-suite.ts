// One POSIX suite for every implementation and every way to it. The yardstick is ext4 mounted for all users.
import { afterAll, beforeAll, beforeEach, describe } from "vitest";
import type { PosixDriver } from "./posix-driver.ts";
import { attributeTests } from "./suite/attributes.ts";
import type { SuiteContext } from "./suite/context.ts";
import { dataTests } from "./suite/data.ts";
import { directoryTests } from "./suite/directories.ts";
import { nameTests } from "./suite/names.ts";
import { permissionTests } from "./suite/permissions.ts";
import { renameTests } from "./suite/rename.ts";

/** Runs the suite on the driver that `driverFactory` makes once; it is closed at the end. */
export function posixSuite(name: string, driverFactory: () => Promise<PosixDriver>): void {
  describe(`POSIX, ${name}`, () => {
    let driver: PosixDriver | undefined;
    let context: SuiteContext | undefined;
    let directories = 0;

    beforeAll(async () => {
      driver = await driverFactory();
    });
    afterAll(async () => {
      await driver?.close();
    });
    beforeEach(async () => {
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
