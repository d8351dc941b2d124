// What administrators do to media: deletion, retention, quarantine, and rooms that go.
import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { waitUntil } from "../support/mount/wait-until.ts";
import { serverNames, sha256 } from "../support/synapse/gated-bucket.ts";
import { type MatrixUser, type Medium, expectStatus } from "../support/synapse/matrix-user.ts";
import { localKey, localThumbnails, remoteKeys } from "../support/synapse/media-layout.ts";
import { type Pictures, makePictures } from "../support/synapse/pictures.ts";
import { Site } from "../support/synapse/site.ts";

const admin = "/_synapse/admin/v1";
// retention is looked after every hour, which no option changes
const oftenRetained = `
import synapse.media.media_repository as repository
from synapse.util.duration import Duration
repository.MEDIA_RETENTION_CHECK_PERIOD = Duration(seconds=2)
`;

describe.each(serverNames)("on %s", (server) => {
  let site: Site;
  let user: MatrixUser;
  let other: MatrixUser;
  let pictures: Pictures;

  beforeAll(async () => {
    site = await Site.start({ server, prelude: oftenRetained });
    user = await site.home.register({ admin: true });
    other = await site.remote.register();
    pictures = await makePictures(site.folder);
  });

  afterAll(async () => {
    await site?.stop();
  });

  async function uploadPicture(by: MatrixUser): Promise<{ medium: Medium; keys: string[] }> {
    const { content, type } = pictures["small.png"];
    const medium = await by.upload(content, type);
    const thumbnails = Object.keys(await localThumbnails(site.home, medium));
    return { medium, keys: [localKey(medium), ...thumbnails].sort() };
  }

  async function isKnown({ id }: Medium): Promise<boolean> {
    const rows = await site.home.sql(
      "SELECT 1 FROM local_media_repository WHERE media_id = ? UNION ALL " +
        "SELECT 1 FROM local_media_repository_thumbnails WHERE media_id = ?",
      id,
      id,
    );
    return rows.length > 0;
  }

  test("a medium deleted by its name is gone from the bucket and the database; a second time is harmless", async () => {
    const { medium, keys } = await uploadPicture(user);
    await site.daemon.settled();
    expect(await site.bucket.keys()).toEqual(keys);
    const remove = async (): Promise<Response> =>
      user.request(`${admin}/media/${medium.server}/${medium.id}`, { method: "DELETE" });
    const counts = await site.bucket.countsOf(async () => {
      await expectStatus(await remove(), 200);
      await site.daemon.settled();
    });
    expect(counts).toEqual({ DELETE: keys.length });
    expect(await site.bucket.keys()).toEqual([]);
    expect(await isKnown(medium)).toBe(false);
    const again = await site.bucket.countsOf(async () => expectStatus(await remove(), 404));
    expect(again).toEqual({});
    expect((await user.tryDownload(medium)).status).toBe(404);
    expect(await site.home.trouble()).toEqual([]);
  });

  test("media deleted by date and size, and those of a user, are gone, and no others", async () => {
    const small = await user.upload(randomBytes(1000));
    const large = await user.upload(randomBytes(100_000));
    const someone = await site.home.register();
    const theirs = await uploadPicture(someone);
    await site.daemon.settled();
    const kept = [localKey(small), localKey(large), ...theirs.keys].sort();
    expect(await site.bucket.keys()).toEqual(kept);

    // before_ts is exclusive
    const now = Date.now() + 1000;
    const path = `${admin}/media/delete?before_ts=${now}&size_gt=99999`;
    const told = await user.call<{ deleted_media: string[] }>("POST", path, {});
    expect(told.deleted_media).toContain(large.id);
    expect(told.deleted_media).not.toContain(small.id);
    await site.daemon.settled();
    expect(await site.bucket.keys(localKey(large))).toEqual([]);
    expect(await site.bucket.keys(localKey(small))).toEqual([localKey(small)]);

    await user.call("DELETE", `${admin}/users/${encodeURIComponent(someone.id)}/media`);
    await site.daemon.settled();
    expect(await site.bucket.keys()).toEqual([localKey(small)]);
    expect(await isKnown(theirs.medium)).toBe(false);
    expect(await isKnown(small)).toBe(true);
    await user.call("DELETE", `${admin}/media/${small.server}/${small.id}`);
    await site.daemon.settled();
    expect(await site.bucket.keys()).toEqual([]);
    expect(await site.home.trouble()).toEqual([]);
  });

  test("cached media of other servers go when they are purged, and are fetched again", async () => {
    const { content, type } = pictures["small.png"];
    const medium = await other.upload(content, type);
    const fetchIt = async (): Promise<void> => {
      expect(sha256(await user.download(medium))).toBe(sha256(content));
      await site.daemon.settled();
    };
    await fetchIt();
    const stored = await site.bucket.keys();
    expect(stored.length).toBeGreaterThanOrEqual(1);
    const purge = async (): Promise<number> => {
      const path = `${admin}/purge_media_cache?before_ts=${Date.now() + 1000}`;
      const { deleted } = await user.call<{ deleted: number }>("POST", path, {});
      await site.daemon.settled();
      return deleted;
    };
    const counts = await site.bucket.countsOf(async () => expect(await purge()).toBe(1));
    expect(counts).toEqual({ DELETE: stored.length });
    expect(await site.bucket.keys()).toEqual([]);
    expect(await remoteKeys(site.home, medium)).toBeUndefined();
    expect(await site.bucket.countsOf(async () => expect(await purge()).toBe(0))).toEqual({});
    await fetchIt();
    expect((await site.bucket.keys()).length).toBe(stored.length);
    await purge();
    expect(await site.home.trouble()).toEqual([]);
  });

  test("a download goes on to its end while its medium is deleted", async () => {
    const content = randomBytes(20_000_000);
    const medium = await user.upload(content);
    await site.daemon.settled();
    await site.daemon.remountCold();
    const answer = await expectStatus(await user.tryDownload(medium), 200);
    const reader = answer.body?.getReader();
    if (reader === undefined) throw new Error("no body");
    const chunks: Uint8Array[] = [];
    const first = await reader.read();
    if (!first.done) chunks.push(first.value);
    await user.call("DELETE", `${admin}/media/${medium.server}/${medium.id}`);
    expect((await user.tryDownload(medium)).status).toBe(404);
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      chunks.push(value);
    }
    expect(sha256(Buffer.concat(chunks))).toBe(sha256(content));
    await site.daemon.settled();
    expect(await site.bucket.keys()).toEqual([]);
    expect(await site.home.trouble()).toEqual([]);
  });

  test("quarantine hides media without touching the bucket", async () => {
    const someone = await site.home.register();
    const byId = await uploadPicture(user);
    const content = randomBytes(50_000);
    const byUser = await someone.upload(content);
    const room = await user.call<{ room_id: string }>("POST", "/_matrix/client/v3/createRoom", {});
    const byRoom = await user.upload(randomBytes(60_000));
    await sendFile(room.room_id, byRoom);
    await site.daemon.settled();
    const stored = await site.bucket.sizes();
    const counts = await site.bucket.countsOf(async () => {
      const quarantine = async (what: string): Promise<number> => {
        const told = await user.call<{ num_quarantined?: number }>("POST", admin + what, {});
        return told.num_quarantined ?? 1;
      };
      const { medium } = byId;
      await quarantine(`/media/quarantine/${medium.server}/${medium.id}`);
      expect(await quarantine(`/user/${encodeURIComponent(someone.id)}/media/quarantine`)).toBe(1);
      expect(await quarantine(`/room/${encodeURIComponent(room.room_id)}/media/quarantine`)).toBe(
        1,
      );
      for (const hidden of [medium, byUser, byRoom]) {
        expect((await user.tryDownload(hidden)).status).toBe(404);
      }
    });
    expect(counts).toEqual({});
    expect(await site.bucket.sizes()).toEqual(stored);

    // Synapse knows the bytes, once its tables have an index of them: they are quarantined under any other name too
    await site.home.untilNoRows("SELECT update_name FROM background_updates");
    const same = await user.upload(content);
    expect((await user.tryDownload(same)).status).toBe(404);
    await site.daemon.settled();
    expect(await site.bucket.sizes()).toEqual({ ...stored, [localKey(same)]: content.length });

    await site.daemon.remountCold();
    const freed = await site.bucket.countsOf(async () => {
      const { medium } = byId;
      await user.call("POST", `${admin}/media/unquarantine/${medium.server}/${medium.id}`, {});
      expect(sha256(await user.download(medium))).toBe(sha256(pictures["small.png"].content));
    });
    expect(freed).toEqual({ GET: 1 });
    expect(await site.home.trouble()).toEqual([]);
  });

  async function sendFile(room: string, { server: origin, id }: Medium): Promise<string> {
    const path = `/_matrix/client/v3/rooms/${encodeURIComponent(room)}/send/m.room.message/t${id}`;
    const body = { msgtype: "m.file", body: "a file", url: `mxc://${origin}/${id}` };
    const { event_id: event } = await user.call<{ event_id: string }>("PUT", path, body);
    return event;
  }

  test("a room's history and the room itself go without a request to S3", async () => {
    const { room_id: room } = await user.call<{ room_id: string }>(
      "POST",
      "/_matrix/client/v3/createRoom",
      {},
    );
    const medium = await user.upload(randomBytes(10_000));
    await sendFile(room, medium);
    const last = await sendFile(room, await user.upload(randomBytes(10)));
    await site.daemon.settled();
    const stored = await site.bucket.sizes();
    const counts = await site.bucket.countsOf(async () => {
      const purged = await user.call<{ purge_id: string }>(
        "POST",
        `${admin}/purge_history/${encodeURIComponent(room)}/${encodeURIComponent(last)}`,
        { delete_local_events: true },
      );
      await untilStatus(`${admin}/purge_history_status/${purged.purge_id}`);
      const gone = await user.call<{ delete_id: string }>(
        "DELETE",
        `/_synapse/admin/v2/rooms/${encodeURIComponent(room)}`,
        { purge: true },
      );
      await untilStatus(`/_synapse/admin/v2/rooms/delete_status/${gone.delete_id}`);
      await user.download(medium);
      await site.daemon.settled();
    });
    expect(counts).toEqual({});
    expect(await site.bucket.sizes()).toEqual(stored);
    expect(await site.home.trouble()).toEqual([]);
  });

  async function untilStatus(path: string): Promise<void> {
    await waitUntil(
      "Synapse is done",
      async () => {
        const { status } = await user.call<{ status: string }>("GET", path);
        if (status === "failed") throw new Error("Synapse failed");
        await sleep(100);
        return status === "complete";
      },
      60_000,
    );
  }

  test("media that are kept no longer than configured go by themselves, local and remote", async () => {
    const { content, type } = pictures["small.png"];
    const theirs = await other.upload(content, type);
    await user.download(theirs);
    const ours = await uploadPicture(user);
    await site.daemon.settled();
    expect(await site.bucket.keys()).toEqual(expect.arrayContaining(ours.keys));
    await site.home.stop();
    const lifetime = { local_media_lifetime: "1s", remote_media_lifetime: "1s" };
    await site.home.start({ media_retention: lifetime });
    await site.home.untilNoRows(
      "SELECT 1 FROM local_media_repository WHERE media_id = ?1 UNION ALL " +
        "SELECT 1 FROM remote_media_cache WHERE media_id = ?2",
      ours.medium.id,
      theirs.id,
    );
    await site.daemon.settled();
    // quarantined media stay
    const left = await site.home.sql("SELECT media_id FROM local_media_repository");
    const contents = (await site.bucket.keys("local_content/")).map((key) =>
      key.replace("local_content/", "").replaceAll("/", ""),
    );
    expect(contents.sort()).toEqual(left.map(([id]) => String(id)).sort());
    expect(contents).not.toContain(ours.medium.id);
    expect(await site.bucket.keys("remote_content/")).toEqual([]);
    expect(await site.bucket.keys("remote_thumbnail/")).toEqual([]);
    expect(await site.home.trouble()).toEqual([]);
  });
});
