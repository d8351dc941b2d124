// `pailfs queue MOUNTPOINT export`: copies bytes out of the spool or the quarantine into a directory.
import { constants } from "node:fs";
import { type FileHandle, mkdir, open, unlink } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { callDaemon } from "../daemon/control-client.ts";
import type { ExportedBytes } from "../daemon/queue-report.ts";
import { isBelowOrEqual } from "../posix/path.ts";
import { type CommandContext, complain } from "./command-context.ts";
import { ExitCode } from "./exit-code.ts";

const CHUNK_BYTES = 1024 * 1024;

/** Copies each, below `directory` under its key; one that fails is told and the rest goes on. Resolves to the exit code. */
export async function exportItems(
  socketPath: string,
  directory: string,
  ids: readonly string[],
  context: CommandContext,
): Promise<number> {
  let code: number = ExitCode.ok;
  for (const id of ids) {
    try {
      await callDaemon(
        socketPath,
        "queueExport",
        { id },
        {
          // the daemon keeps the file in its place until we hang up
          meanwhile: async (found) => {
            const target = targetOf(resolve(context.environment.directory, directory), id, found);
            const saved = await copyBytes(found, target);
            const missing = saved < found.size ? `, ${found.size - saved} bytes are missing` : "";
            context.stdout(`${id} saved as ${target}${missing}\n`);
          },
        },
      );
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      complain(context, `Cannot export ${id}: ${reason}`);
      code = ExitCode.runtime;
    }
  }
  return code;
}

// a key may hold ".." that no path of a mount has
function targetOf(directory: string, id: string, { key }: ExportedBytes): string {
  const wanted = join(directory, key ?? id);
  return wanted !== directory && isBelowOrEqual(wanted, directory) ? wanted : join(directory, id);
}

async function copyBytes({ path, size }: ExportedBytes, target: string): Promise<number> {
  await mkdir(dirname(target), { recursive: true });
  const from = await open(path);
  try {
    // never over a file that is there
    const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL;
    const to = await open(target, flags, 0o600);
    try {
      const copied = await copyAll(from, to, size);
      await to.sync();
      return copied;
    } catch (error) {
      // half a file would look like a saved one
      await unlink(target);
      throw error;
    } finally {
      await to.close();
    }
  } finally {
    await from.close();
  }
}

/** At most `size` bytes: what is behind them was promised to no one. Resolves to how many there were. */
async function copyAll(from: FileHandle, to: FileHandle, size: number): Promise<number> {
  const chunk = Buffer.alloc(CHUNK_BYTES);
  let at = 0;
  while (at < size) {
    const { bytesRead } = await from.read(chunk, 0, Math.min(chunk.length, size - at), at);
    if (bytesRead === 0) break;
    await to.write(chunk, 0, bytesRead, at);
    at += bytesRead;
  }
  return at;
}
