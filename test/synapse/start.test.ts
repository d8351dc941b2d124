// Starts and stops of Synapse and of the mount below it.
import { randomBytes } from "node:crypto";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { isMounted } from "../support/mount/mount-in-child.ts";
import { serverNames, sha256 } from "../support/synapse/gated-bucket.ts";
import { Homeserver } from "../support/synapse/homeserver.ts";
import type { MatrixUser, Medium } from "../support/synapse/matrix-user.ts";
import { localKey } from "../support/synapse/media-layout.ts";
import { Site } from "../support/synapse/site.ts";

describe.each(serverNames)("on %s", (server) => {
  let site: Site;
  let user: MatrixUser;
  const content = randomBytes(100_000);
  let medium: Medium;

  beforeAll(async () => {
    site = await Site.start({
      server,
      remote: false,
      // the start of Synapse is looked at by itself
      beforeSynapse: async ({ daemon }) => daemon.settled(),
    });
    user = await site.home.register();
  });

  afterAll(async () => {
    await site?.stop();
  });

  test("on an empty bucket Synapse starts without writing anything", async () => {
    expect(await site.bucket.keys()).toEqual([]);
    expect((await site.bucket.gate.log()).filter(({ verb }) => !verb.match(/HEAD|LIST/))).toEqual(
      [],
    );
    expect(await site.home.trouble()).toEqual([]);
  });

  test("a restart of Synapse asks S3 nothing, and its media are there", async () => {
    medium = await user.upload(content);
    await site.daemon.settled();
    const counts = await site.bucket.countsOf(async () => {
      await site.home.stop();
      await site.home.start();
      expect(sha256(await user.download(medium))).toBe(sha256(content));
    });
    expect(counts).toEqual({});
    expect(await site.home.trouble()).toEqual([]);
  });

  test("on a populated bucket, cache and state lost, it starts for one listing and has its media", async () => {
    await site.home.stop();
    const counts = await site.bucket.countsOf(async () => {
      await site.daemon.remountEmpty();
      await site.home.start();
      expect(sha256(await user.download(medium))).toBe(sha256(content));
    });
    const { LIST: lists = 0, HEAD: heads = 0, HEAD_BUCKET: _, GET: gets, ...others } = counts;
    expect(gets).toBe(1);
    // the bucket is listed once; names asked for before that is done are asked for by themselves
    expect(lists).toBeGreaterThanOrEqual(1);
    expect(lists + heads).toBeLessThanOrEqual(8);
    expect(others).toEqual({});
    expect(await site.home.trouble()).toEqual([]);
  });

  test("two Synapse processes may start on one mount at once, and write side by side", async () => {
    await site.home.stop();
    const media = site.daemon.mountpoint;
    const second = await Homeserver.make(join(site.folder, "second"), { media });
    try {
      await Promise.all([site.home.start(), second.start()]);
      const others = await second.register();
      const contents = Array.from({ length: 10 }, () => randomBytes(20_000));
      const uploads = contents.map(async (bytes, i) => {
        const by = i % 2 === 0 ? user : others;
        return { by, bytes, medium: await by.upload(bytes) };
      });
      const made = await Promise.all(uploads);
      await site.daemon.settled();
      for (const { by, bytes, medium: own } of made) {
        expect(await site.bucket.sha256(localKey(own))).toBe(sha256(bytes));
        expect(sha256(await by.download(own))).toBe(sha256(bytes));
      }
      expect((await site.bucket.keys()).length).toBe(1 + contents.length);
      expect(await second.trouble()).toEqual([]);
    } finally {
      await second.stop();
    }
    expect(await site.home.trouble()).toEqual([]);
  });

  test("stopped in the order of a shutdown, all that was uploaded is in the bucket before the mount is gone", async () => {
    await site.bucket.gate.refuse();
    const contents = Array.from({ length: 8 }, () => randomBytes(50_000));
    const media = await Promise.all(contents.map(async (bytes) => user.upload(bytes)));
    await site.home.stop();
    expect((await site.daemon.status()).queue.length).toBe(contents.length);
    const unmounted = site.daemon.umount();
    await site.bucket.gate.accept();
    await unmounted;
    expect(await isMounted(site.daemon.mountpoint)).toBe(false);
    for (const [i, one] of media.entries()) {
      expect(await site.bucket.sha256(localKey(one))).toBe(sha256(contents[i] ?? ""));
    }
    // nothing was written beside the mount
    expect(await readdir(site.daemon.mountpoint)).toEqual([]);
    expect(await site.home.trouble()).toEqual([]);
  });
});
