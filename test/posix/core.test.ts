import { MemoryFileSystem } from "../support/memory-file-system.ts";
import { fileSystemDriver } from "./file-system-driver.ts";
import { posixSuite } from "./posix-suite.ts";

posixSuite("memory file system", async () => fileSystemDriver(new MemoryFileSystem()));
posixSuite("memory file system, content replaced at close", async () =>
  fileSystemDriver(new MemoryFileSystem({ replaceOnTruncate: true })),
);
