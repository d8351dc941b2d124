import type { ControlProgress } from "../daemon/control-protocol.ts";
import type { CommandContext } from "./command-context.ts";
import { describeBytes } from "./describe.ts";

export interface ProgressLine {
  show(progress: ControlProgress): void;
  /** Takes the line away. */
  clear(): void;
}

/** A line on the terminal that is rewritten in place; nothing where standard error is no terminal. */
export function progressLine(context: CommandContext): ProgressLine {
  let shown = false;
  return {
    show: (progress) => {
      if (!context.isTerminal) return;
      shown = true;
      context.stderr(`\r\u001B[K${describeProgress(progress)}`);
    },
    clear: () => {
      if (shown) context.stderr("\r\u001B[K");
    },
  };
}

/** What is going on, in a few words. */
export function describeProgress({ phase, length, bytes, lastError }: ControlProgress): string {
  const waiting = `${length} left (${describeBytes(bytes)})`;
  const trouble = lastError === undefined ? "" : `; ${lastError}`;
  if (phase === "busy") return `still in use, ${waiting}${trouble}`;
  return `uploading, ${waiting}${trouble}`;
}
