// What a mount makes of the bucket's answer at start, or of none.
import { expect, test } from "vitest";
import { type AskBucket, BucketCheck } from "../../../src/daemon/bucket-check.ts";
import { S3ObjectStore } from "../../../src/s3/s3-object-store.ts";
import { LoopbackS3, testLogin } from "../../support/loopback-s3/loopback-s3.ts";

/** Asks a server of its own through the real store; nothing listens there when `effect` is "refused". */
async function asking(effect: object | "refused", use: (ask: AskBucket) => Promise<void>) {
  const loopback = await LoopbackS3.start();
  const store = new S3ObjectStore({
    bucket: "bucket",
    endpoint: loopback.endpoint,
    credentials: async () => testLogin,
  });
  if (effect === "refused") await loopback.close();
  else loopback.faults.add({ effect: effect as { kind: "hang" } });
  try {
    await use((how) => store.checkBucket({ ...how, prefix: "" }));
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
