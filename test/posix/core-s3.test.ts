import { startCore } from "../support/core.ts";
import { fileSystemDriver } from "./file-system-driver.ts";
import { posixSuite } from "./posix-suite.ts";

for (const metadata of ["index", "object"]) {
  posixSuite(`the core over S3, metadata=${metadata}`, async () => {
    const core = await startCore({ metadata });
    return {
      ...fileSystemDriver(core.core.fileSystem),
      canExchange: false,
      ...(metadata === "object" ? { largeXattr: 1000 } : {}),
      close: () => core.close(),
    };
  });
}
