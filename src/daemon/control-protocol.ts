// What travels over a mount's control socket: JSON, one object a line. A connection carries one request after another;
// each is answered by any number of progress lines and then one result or error line.
import type { RemovedPage, UndeleteReport } from "./removal-report.ts";
import type { ExportedBytes, QueuePage } from "./queue-report.ts";
import type { FailureKind } from "./start-error.ts";
import type { DaemonStatus } from "./status.ts";

/** Verbs with their arguments and results. */
export interface ControlVerbs {
  readonly status: { readonly arguments: object; readonly result: DaemonStatus };
  readonly flush: { readonly arguments: { readonly path: string }; readonly result: object };
  readonly refresh: { readonly arguments: { readonly path: string }; readonly result: object };
  readonly queue: {
    readonly arguments: { readonly after: string; readonly all: boolean };
    readonly result: QueuePage;
  };
  readonly queueRetry: {
    readonly arguments: { readonly ids: readonly string[] };
    readonly result: { readonly count: number };
  };
  readonly queueExport: {
    readonly arguments: { readonly id: string };
    readonly result: ExportedBytes;
  };
  readonly queueDiscard: { readonly arguments: { readonly id: string }; readonly result: object };
  readonly removed: {
    readonly arguments: { readonly path: string; readonly after: string };
    readonly result: RemovedPage;
  };
  readonly undelete: {
    readonly arguments: { readonly paths: readonly string[]; readonly sinceMs: number };
    readonly result: UndeleteReport;
  };
  readonly deleteNow: {
    readonly arguments: { readonly paths: readonly string[] };
    readonly result: { readonly count: number };
  };
  readonly umount: { readonly arguments: UmountArguments; readonly result: UmountResult };
  readonly version: { readonly arguments: object; readonly result: { readonly version: string } };
}

export type ControlVerb = keyof ControlVerbs;

export interface UmountArguments {
  /** Detach also when in use. */
  readonly lazy: boolean;
  /** Answer when the queue is drained, not when it is unmounted. */
  readonly wait: boolean;
}

export interface UmountResult {
  /** Records still in the journal. */
  readonly left: number;
}

/** How far a umount or flush is. */
export interface ControlProgress {
  /** `busy`: detached, but someone still uses it. */
  readonly phase: "serving" | "busy" | "draining";
  /** Records and bytes that wait for S3. */
  readonly length: number;
  readonly bytes: number;
  readonly lastError?: string;
  /** As in the status: since when S3 gives no answer of use, in ms since the epoch. */
  readonly failingSinceMs?: number;
}

export interface ControlRequest {
  readonly verb: string;
  readonly arguments: Readonly<Record<string, unknown>>;
}

export type ControlReply =
  | { readonly progress: ControlProgress }
  | { readonly result: unknown }
  | { readonly error: { readonly message: string; readonly kind: FailureKind } };

/** Bytes of the longest line that is accepted. */
export const MAX_LINE = 64 * 1024;

/** A reply or request as it is sent. */
export function encodeLine(message: ControlReply | ControlRequest): string {
  return `${JSON.stringify(message)}\n`;
}

/** A request of any origin, or undefined when it is none. */
export function decodeRequest(line: string): ControlRequest | undefined {
  const value = parseObject(line);
  if (value === undefined || typeof value["verb"] !== "string") return undefined;
  const given = value["arguments"];
  const isObject = typeof given === "object" && given !== null && !Array.isArray(given);
  return { verb: value["verb"], arguments: isObject ? (given as Record<string, unknown>) : {} };
}

/** A line of the daemon, or undefined when it is none. */
export function decodeReply(line: string): ControlReply | undefined {
  const value = parseObject(line);
  const known =
    value !== undefined && ("progress" in value || "result" in value || "error" in value);
  return known ? (value as unknown as ControlReply) : undefined;
}

function parseObject(line: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === "object" && value !== null
      ? (value as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}
