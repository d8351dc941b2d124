import { describe } from "vitest";
import { mountInChild } from "../support/mount/mount-in-child.ts";
import { runsNative } from "../support/native.ts";
import { startRealMount } from "../support/real-mount.ts";
import { driverOfMount } from "./mount-driver.ts";
import type { PosixDriver } from "./posix-driver.ts";
import { type ExpectedDifferences, posixSuite } from "./posix-suite.ts";

const unknownCaller = "fuse-native does not say who calls: new files belong to the mount's owner";

/** Where fuse-native is not the kernel adapter; docs/SEMANTICS.md has a paragraph on each. */
const differences: ExpectedDifferences = {
  'the name "U+FFFD \uFFFD" is taken as it is':
    "fuse-native puts U+FFFD for bytes that are not UTF-8, and two names would become one",
  "NOREPLACE refuses a name that is there, and moves to one that is not":
    "libfuse 2 has no renameat2(2)",
  "utimens sets nanoseconds, before 1970 and after 2038 too":
    "fuse-native has milliseconds, and none before 1970",
  "a new file belongs to the one who made it": unknownCaller,
  "in a sticky directory only owners remove and rename": unknownCaller,
  "chown by the owner to a group of others is EPERM": unknownCaller,
};

function nativeDriver(mount: Parameters<typeof driverOfMount>[0]): PosixDriver {
  return { ...driverOfMount(mount), timeStep: 1_000_000n };
}

describe.skipIf(!runsNative)("fuse=native", () => {
  posixSuite(
    "fuse-native, in memory",
    async () => nativeDriver(await mountInChild({ native: true })),
    differences,
  );

  posixSuite(
    "fuse-native, a mounted bucket",
    async () =>
      nativeDriver(await startRealMount("--allow-other", "--fuse=native", "--uid=0", "--gid=0")),
    differences,
  );
});
