// The body of a GET under way: watched while someone waits for bytes, its slot lent on while nobody does.
import type { Attempt } from "./attempt.ts";
import type { S3Stream } from "./s3-call.ts";
import type { HttpAnswer } from "./transport.ts";

// a reader that pauses for longer does not keep others from S3
const idleMs = 1_000;

/** Takes over an attempt whose answer is a body. */
export function openStream(attempt: Attempt, answer: HttpAnswer): S3Stream {
  const { body, status, headers } = answer;
  const { watchdog } = attempt;
  const idle = setTimeout(() => attempt.releaseSlot(), idleMs).unref();
  watchdog.disarm();
  return {
    status,
    headers,
    next: async () => {
      const ready = body.take();
      if (ready !== undefined) {
        idle.refresh();
        return ready;
      }
      watchdog.arm(attempt.silenceMs);
      try {
        return await body.next();
      } finally {
        watchdog.disarm();
        idle.refresh();
      }
    },
    pour: async (sink) => {
      clearTimeout(idle);
      watchdog.arm(attempt.silenceMs);
      await body.pour((chunk) => {
        watchdog.touch();
        return sink(chunk);
      });
    },
    release: (complete) => {
      clearTimeout(idle);
      attempt.release();
      if (!complete) body.cancel();
    },
  };
}
