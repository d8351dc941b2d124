// What commands see of the process they run in; tests bring their own.
import { journalPrefix } from "../log.ts";
import type { ServiceManagerAddress } from "../daemon/service-manager.ts";
import type { Environment } from "../options/environment-options.ts";

export interface CommandContext {
  /** What messages begin with, where it is not pailfs. */
  readonly program?: string;
  /** The service manager that waits for us to be ready, if one does. */
  readonly serviceManager?: ServiceManagerAddress | undefined;
  readonly environment: Environment & { readonly homeDirectory: string };
  readonly version: string;
  /** Where daemons leave their records, best first. */
  readonly runtimeDirectories: readonly string[];
  /** Whether the mounts of other users are looked for too: root, where no directory was asked for. */
  readonly seesUsers?: boolean;
  /** How to start this program again. */
  readonly self: readonly [string, ...string[]];
  /** Whether standard error is the journal, which reads priorities. */
  readonly isJournal?: boolean;
  /** Whether standard error is a terminal, so that progress may be rewritten in place. */
  readonly isTerminal: boolean;
  readonly stdout: (text: string) => void;
  readonly stderr: (text: string) => void;
  /** From the first call on SIGINT and SIGTERM fire the signal instead of ending the process. */
  readonly interruptible: () => AbortSignal;
}

/** One line on standard error, as every message of a command; in the journal with its priority. */
export function complain(
  context: CommandContext,
  message: string,
  level: "error" | "warn" = "warn",
): void {
  const head = context.isJournal === true ? journalPrefix(level) : "";
  const line = message.replaceAll(/\s*\n\s*/g, " ");
  context.stderr(`${head}${context.program ?? "pailfs"}: ${line}\n`);
}
