// What a daemon's child process is told, and what it answers, over the IPC channel of spawn().
import type { MountOptions } from "../options/mount-options.ts";
import type { LogDestination } from "./log-target.ts";
import type { DaemonSurroundings } from "./run-daemon.ts";
import type { FailureKind } from "./start-error.ts";

/** All a daemon must know; keys travel here, never in argv. */
export interface DaemonStart extends DaemonSurroundings {
  readonly options: MountOptions;
  readonly logTo: LogDestination;
}

/** Sent once by the child. */
export type DaemonAnswer =
  | { readonly kind: "ready"; readonly warning?: string | undefined }
  | { readonly kind: "failed"; readonly failure: FailureKind; readonly message: string };
