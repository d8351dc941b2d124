// What commands see of the process they run in; tests bring their own.
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
  /** How to start this program again. */
  readonly self: readonly [string, ...string[]];
  /** Whether standard error is a terminal, so that progress may be rewritten in place. */
  readonly isTerminal: boolean;
  readonly stdout: (text: string) => void;
  readonly stderr: (text: string) => void;
  /** From the first call on SIGINT and SIGTERM fire the signal instead of ending the process. */
  readonly interruptible: () => AbortSignal;
}

/** One line on standard error, as every message of a command. */
export function complain(context: CommandContext, message: string): void {
  context.stderr(`${context.program ?? "pailfs"}: ${message.replaceAll(/\s*\n\s*/g, " ")}\n`);
}
