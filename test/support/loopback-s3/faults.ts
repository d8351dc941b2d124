// Faults on demand: which requests they hit, and for how long.
import type { LoopbackVerb } from "./verbs.ts";

/** What goes wrong. */
export type FaultEffect =
  /** Answers with a status instead of doing anything. */
  | {
      readonly kind: "status";
      readonly status: number;
      readonly code?: string;
      readonly retryAfter?: string;
      readonly bare?: boolean;
    }
  /** Reads the request and never answers. */
  | { readonly kind: "hang" }
  /** Resets the connection before anything is done. */
  | { readonly kind: "reset" }
  /** Does the work, then resets the connection instead of answering. */
  | { readonly kind: "lostAnswer" }
  /** Does the work, then answers with an error. */
  | { readonly kind: "errorThoughStored"; readonly status: number }
  /** Resets the connection after so many bytes of the answer's body. */
  | { readonly kind: "resetBody"; readonly afterBytes: number }
  /** Ends the connection cleanly after so many bytes of the answer's body. */
  | { readonly kind: "truncateBody"; readonly afterBytes: number }
  /** Stops sending after so many bytes, the connection stays open. */
  | { readonly kind: "stallBody"; readonly afterBytes: number }
  | { readonly kind: "slowBody"; readonly bytesPerSecond: number }
  /** Answers with another ETag than the stored one. */
  | { readonly kind: "wrongEtag" }
  /** Flips the first byte of what was uploaded, digests not checked. */
  | { readonly kind: "corruptUpload" };

export interface Fault {
  readonly effect: FaultEffect;
  /** Absent: any. */
  readonly verbs?: readonly LoopbackVerb[];
  /** Source of a regular expression on the key; absent: any. */
  readonly key?: string;
  /** Only the nth matching request from now (1 is the next). */
  readonly nth?: number;
  /** At most so many requests. */
  readonly times?: number;
  readonly forMs?: number;
}

interface ArmedFault extends Fault {
  readonly pattern: RegExp | undefined;
  readonly until: number;
  seen: number;
  hits: number;
}

/** The armed faults, asked once per request. */
export class FaultPlan {
  #armed: ArmedFault[] = [];

  add(fault: Fault): void {
    this.#armed.push({
      ...fault,
      pattern: fault.key === undefined ? undefined : new RegExp(fault.key),
      until: fault.forMs === undefined ? Infinity : Date.now() + fault.forMs,
      seen: 0,
      hits: 0,
    });
  }

  clear(): void {
    this.#armed = [];
  }

  /** The first fault that hits this request. */
  take(verb: LoopbackVerb, key: string): FaultEffect | undefined {
    for (const fault of this.#armed) {
      if (fault.verbs !== undefined && !fault.verbs.includes(verb)) continue;
      if (fault.pattern !== undefined && !fault.pattern.test(key)) continue;
      if (Date.now() > fault.until) continue;
      fault.seen += 1;
      if (fault.nth !== undefined && fault.seen !== fault.nth) continue;
      if (fault.times !== undefined && fault.hits >= fault.times) continue;
      fault.hits += 1;
      return fault.effect;
    }
    return undefined;
  }
}

/** What any request may meet, whatever its verb. */
export const faultsOfAnswers: readonly FaultEffect[] = [
  ...[500, 503, 429, 403].map((status) => ({ kind: "status", status }) as const),
  { kind: "status", status: 503, bare: true },
  { kind: "status", status: 400, code: "RequestTimeout" },
  { kind: "hang" },
  { kind: "reset" },
  { kind: "lostAnswer" },
  { kind: "errorThoughStored", status: 500 },
];
