import { expect, test } from "vitest";
import { startPatiently } from "../../../src/daemon/patient-start.ts";
import { type FailureKind, StartError } from "../../../src/daemon/start-error.ts";

function patience(signal = new AbortController().signal) {
  const told: Record<string, string>[] = [];
  const waits: string[] = [];
  const notify = async (assignments: Readonly<Record<string, string>>): Promise<void> =>
    void told.push({ ...assignments });
  return { told, waits, given: { notify, signal, onWait: (r: string) => void waits.push(r) } };
}

function failing(...kinds: FailureKind[]) {
  return async (): Promise<string> => {
    const kind = kinds.shift();
    if (kind !== undefined) throw new StartError(kind, `S3 is away (${kind})`);
    return "mounted";
  };
}

test("an S3 that is away is tried again, with more time asked for and the reason told once", async () => {
  const { told, waits, given } = patience();
  const start = failing("unavailable", "unavailable");
  expect(await startPatiently(start, given, 1)).toBe("mounted");
  expect(told).toEqual(
    [1, 2].map(() => ({
      STATUS: "waiting for S3: S3 is away (unavailable)",
      EXTEND_TIMEOUT_USEC: "60000000",
    })),
  );
  expect(waits).toEqual(["S3 is away (unavailable)"]);
});

test("what no waiting mends is not tried again", async () => {
  const { told, given } = patience();
  await expect(startPatiently(failing("credentials"), given, 1)).rejects.toThrow("S3 is away");
  expect(told).toEqual([]);
});

test("a stop ends the waiting at once", async () => {
  const stop = new AbortController();
  const { given } = patience(stop.signal);
  const start = failing(...Array.from({ length: 9 }, () => "unavailable" as const));
  const started = startPatiently(start, given, 60_000);
  stop.abort();
  expect(await started).toBeUndefined();
});
