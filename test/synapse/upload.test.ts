// Uploads and downloads through a real Synapse, and what they leave in the bucket.
import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { serverNames, sha256 } from "../support/synapse/gated-bucket.ts";
import { Site } from "../support/synapse/site.ts";

describe.each(serverNames)("on %s", (server) => {
  let site: Site;

  beforeAll(async () => {
    site = await Site.start({ server });
  });

  afterAll(async () => {
    await site?.stop();
  });

  test("a file that was uploaded is one object, and is downloaded as it was, here and by the other server", async () => {
    const user = await site.home.register();
    const content = randomBytes(300_000);
    const medium = await user.upload(content);
    await site.daemon.settled();
    const key = `local_content/${medium.id.slice(0, 2)}/${medium.id.slice(2, 4)}/${medium.id.slice(4)}`;
    expect(await site.bucket.sizes()).toEqual({ [key]: content.length });
    expect(await site.bucket.sha256(key)).toBe(sha256(content));
    expect(sha256(await user.download(medium))).toBe(sha256(content));
    const other = await site.remote.register();
    expect(sha256(await other.download(medium))).toBe(sha256(content));
    expect(await site.home.trouble()).toEqual([]);
  });
});
