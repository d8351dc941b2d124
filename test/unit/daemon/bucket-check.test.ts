// What a mount makes of the bucket's answer at start, or of none.
import { expect, onTestFinished, test } from "vitest";
import { type AskBucket, BucketCheck } from "../../../src/daemon/bucket-check.ts";
import { setLogSink } from "../../../src/log.ts";
import { S3ObjectStore } from "../../../src/s3/s3-object-store.ts";
import { LoopbackS3, testLogin } from "../../support/loopback-s3/loopback-s3.ts";
import { waitUntil } from "../../support/mount/wait-until.ts";

/** Lines that the daemon would write, until the test ends. */
function linesOfLog(): readonly string[] {
  const lines: string[] = [];
  setLogSink((line) => lines.push(line), "journal");
  onTestFinished(() => setLogSink((line) => process.stderr.write(line), "plain"));
  return lines;
}

/** Asks a server of its own through the real store; nothing listens there when `effect` is "refused". */
async function asking(
  effect: object | "refused",
  use: (ask: AskBucket, loopback: LoopbackS3) => Promise<void>,
) {
  const loopback = await LoopbackS3.start();
  const store = new S3ObjectStore({
    bucket: "bucket",
    endpoint: loopback.endpoint,
    credentials: async () => testLogin,
  });
  if (effect === "refused") await loopback.close();
  else loopback.faults.add({ effect: effect as { kind: "hang" } });
  try {
    await use((how) => store.checkBucket({ ...how, prefix: "" }), loopback);
  } finally {
    await store.close();
    await loopback.close();
  }
}

test("mayFail() says why S3 cannot be used though it stops asking", async () => {
  await asking("refused", async (ask) => {
    const warning = await new BucketCheck(ask).mayFail();
    expect(warning).toMatch(
      /^S3 cannot be used now \(Cannot use bucket .* nothing listens there\)/,
    );
  });
});

test("mayFail() says so when nothing came at all", async () => {
  await asking({ kind: "hang" }, async (ask) => {
    const warning = await new BucketCheck(ask).mayFail();
    expect(warning).toContain("no usable answer within 3 s");
  });
});

test("mayFail() counts the time that was spent on other things meanwhile", async () => {
  await asking({ kind: "hang" }, async (ask, loopback) => {
    const startedAt = performance.now();
    const check = new BucketCheck(ask);
    await waitUntil("it has asked for long enough", () => performance.now() - startedAt > 3000);
    expect(loopback.count("LIST")).toBe(1);
    const calledAt = performance.now();
    expect(await check.mayFail()).toBeDefined();
    expect(performance.now() - calledAt).toBeLessThan(500);
    check.cancel();
  });
});

test.each([
  ["a refusal", { kind: "status", status: 403, code: "SignatureDoesNotMatch" }, "<3>Cannot use"],
  ["that it works", undefined, "<6>S3 answers"],
])("what S3 says after mayFail() is logged: %s", async (_, then, expected) => {
  const lines = linesOfLog();
  await asking({ kind: "hang" }, async (ask, loopback) => {
    const check = new BucketCheck(ask);
    const warned = check.mayFail();
    await waitUntil("the questions came", () => loopback.count("LIST") > 1);
    loopback.faults.clear();
    if (then !== undefined) loopback.faults.add({ effect: then as { kind: "hang" } });
    expect(await warned).toContain("no usable answer");
    await waitUntil("it is told", () => lines.length > 0);
    expect(lines).toEqual([expect.stringMatching(`^${expected}`)]);
    check.cancel();
  });
});

test("mayFail() rejects with a refusal that comes when a silent S3 is asked again", async () => {
  await asking({ kind: "hang" }, async (ask, loopback) => {
    const refused = new BucketCheck(ask).mayFail();
    await waitUntil("the question came", () => loopback.count("LIST") > 0);
    loopback.faults.clear();
    loopback.faults.add({ effect: { kind: "status", status: 403, code: "AccessDenied" } });
    await expect(refused).rejects.toMatchObject({ kind: "credentials" });
  });
});

test("mayFail() rejects with a refusal", async () => {
  await asking({ kind: "status", status: 403, code: "SignatureDoesNotMatch" }, async (ask) => {
    const check = new BucketCheck(ask);
    await expect(check.mayFail()).rejects.toMatchObject({ kind: "credentials" });
  });
});

test("mustSucceed() rejects in time with the reason", async () => {
  await asking("refused", async (ask) => {
    const check = new BucketCheck(ask);
    await expect(check.mustSucceed()).rejects.toMatchObject({
      kind: "unavailable",
      message: expect.stringContaining("nothing listens there"),
    });
  });
});
