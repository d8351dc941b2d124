// A daemon for mountInChild(): a file system in memory that records; told "dump", it writes its log to a file.
import { writeFileSync } from "node:fs";
import { serialize } from "node:v8";
import { mountKernel } from "../../../src/fuse/session.ts";
import { MemoryFileSystem } from "../memory-file-system.ts";
import { RecordingFileSystem } from "../power-cut/recording-file-system.ts";
import type { DaemonOptions } from "./daemon.ts";

async function main(): Promise<void> {
  const options = JSON.parse(process.argv[2] ?? "{}") as DaemonOptions;
  const recording = new RecordingFileSystem(new MemoryFileSystem(options.fileSystem));
  const session = await mountKernel(recording.fileSystem, options.mount);
  process.on("message", ({ id, command }: { id: number; command: { path: string } }) => {
    writeFileSync(command.path, serialize(recording.log));
    process.send?.({ id, result: recording.log.length });
  });
  process.send?.({ ready: true });
  await session.closed;
  process.send?.({ closed: true });
  process.disconnect?.();
}

main().catch((error: unknown) => {
  process.send?.({ failed: String(error) });
  process.exitCode = 1;
  process.disconnect?.();
});
