import { startCore } from "../support/core.ts";
import { fileSystemDriver } from "./file-system-driver.ts";
import { driverBelow } from "./driver-below.ts";
import { posixSuite } from "./posix-suite.ts";

posixSuite("a local prefix without a kernel", async () => {
  const core = await startCore({ "local-prefix": "kept" });
  const driver = fileSystemDriver(core.core.local.fileSystem);
  await driver.mkdir("/kept");
  return {
    ...driverBelow("/kept", driver),
    canExchange: false,
    largeXattr: 3000,
    close: () => core.close(),
  };
});
