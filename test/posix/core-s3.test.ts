import { startCore } from "../support/core.ts";
import { fileSystemDriver } from "./file-system-driver.ts";
import { posixSuite } from "./posix-suite.ts";

posixSuite("the core over S3", async () => {
  const core = await startCore();
  return {
    ...fileSystemDriver(core.core.fileSystem),
    canExchange: false,
    close: () => core.close(),
  };
});
