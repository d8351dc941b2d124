import { readFile, readdir, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { waitUntil } from "../../support/mount/wait-until.ts";
import { temporaryDirectory } from "../daemon/temporary-directory.ts";
import { FakeHost } from "./fake-host.ts";

async function opened(lingerMs?: number) {
  const folder = await temporaryDirectory();
  const host = new FakeHost(folder);
  const plugin = await host.open(lingerMs);
  onTestFinished(() => plugin.close());
  return { folder, host, ...plugin };
}

const media = { bucket: "b", prefix: "media/" };

describe("references", () => {
  test("a volume is mounted once, and unmounted when its last user is gone and did not come back", async () => {
    const { volumes, host } = await opened(30);
    await volumes.create("v", media);
    const daemon = host.daemonOf("v");
    expect(await volumes.mount("v", "one")).toBe(host.mountpointOf("v"));
    await volumes.mount("v", "two");
    // docker cp: the same user once more, and one time less
    await volumes.mount("v", "one");
    await volumes.unmount("v", "one");
    await volumes.unmount("v", "two");
    expect(daemon.calls).toEqual(["mount"]);
    await volumes.unmount("v", "one");
    expect(daemon.isUp).toBe(true);
    await waitUntil("it is unmounted", () => daemon.calls.includes("rmdir"));
    expect(daemon.calls).toEqual(["mount", "flush", "unmount", "rmdir"]);
  });

  test("what nobody mounted is unmounted without an error", async () => {
    const { volumes } = await opened();
    await volumes.create("v", media);
    await volumes.unmount("v", "unknown");
    await volumes.unmount("no volume", "unknown");
  });

  test("a killed dockerd mounts with the same IDs again: the first unmount after its start is the last", async () => {
    const { volumes, store } = await opened();
    await volumes.create("v", media);
    await volumes.mount("v", "one");
    await volumes.mount("v", "one");
    volumes.activated();
    await waitUntil("counts are one", () => store.find("v")?.references["one"] === 1);
    await volumes.unmount("v", "one");
    expect(store.find("v")?.references).toEqual({});
  });

  test("a volume with uploads that wait stays mounted, so that it can be used again at once", async () => {
    const { volumes, host } = await opened(5);
    await volumes.create("v", media);
    await volumes.mount("v", "one");
    const daemon = host.daemonOf("v");
    daemon.waiting = 3;
    await volumes.unmount("v", "one");
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(daemon.isUp).toBe(true);
    await volumes.mount("v", "two");
    expect(daemon.calls).toEqual(["mount", "flush"]);
  });
});

describe("restarts", () => {
  test("the plugin finds its volumes, users and mounts again", async () => {
    const { volumes, host, folder } = await opened();
    await volumes.create("v", media);
    await volumes.mount("v", "one");
    const again = await host.open();
    onTestFinished(() => again.close());
    expect(again.store.find("v")?.references).toEqual({ one: 1 });
    expect(await again.volumes.get("v")).toMatchObject({
      Name: "v",
      Mountpoint: host.mountpointOf("v"),
      Status: { source: "b:media/", state: "mounted", users: 1 },
    });
    expect(host.daemonOf("v").calls).toEqual(["mount"]);
    expect((await stat(join(folder, "volumes.json"))).mode & 0o777).toBe(0o600);
  });

  test("after a reboot nobody uses a volume, but what its journal holds is uploaded", async () => {
    const { volumes, host } = await opened();
    await volumes.create("v", media);
    await volumes.mount("v", "one");
    const daemon = host.daemonOf("v");
    daemon.isUp = false;
    const again = await host.open(5, "another boot");
    onTestFinished(() => again.close());
    expect(again.store.find("v")?.references).toEqual({});
    await waitUntil("it was mounted and unmounted", () => daemon.calls.includes("rmdir"));
    expect(daemon.calls).toEqual(["mount", "mount", "unmount", "rmdir"]);
    await waitUntil("it is settled", () => again.store.find("v")?.isUnsettled === false);
  });

  test.each(["", "{", '{"version":1,"volumes":[{}]}', '{"version":9,"volumes":[]}'])(
    "a state file %j is kept aside, and the plugin starts empty",
    async (text) => {
      const folder = await temporaryDirectory();
      await writeFile(join(folder, "volumes.json"), text);
      const { volumes, close } = await new FakeHost(folder).open();
      onTestFinished(close);
      expect(await volumes.list()).toEqual([]);
      const kept = (await readdir(folder)).find((name) => name.includes(".broken-"));
      expect(await readFile(join(folder, kept ?? ""), "utf8")).toBe(text);
    },
  );
});

describe("create and remove", () => {
  test("a removed volume is unmounted, and its record goes with its last upload", async () => {
    const { volumes, host, store } = await opened();
    await volumes.create("v", media);
    await volumes.mount("v", "one");
    await volumes.unmount("v", "one");
    await volumes.remove("v");
    expect(host.daemonOf("v").calls).toEqual([
      "mount",
      "flush",
      "unmount lazily",
      "rmdir",
      "rmdir",
    ]);
    expect(store.records).toEqual([]);
    await expect(volumes.get("v")).rejects.toThrow('No volume "v"');
    await expect(volumes.remove("v")).rejects.toThrow('No volume "v"');
  });

  test("what a removed volume could not upload goes on at the next start", async () => {
    const folder = await temporaryDirectory();
    const host = new FakeHost(folder);
    const record = {
      name: "v",
      options: media,
      source: "b:media/",
      createdMs: 1,
      references: {},
      isUnsettled: true,
      isRemoved: true,
    };
    await writeFile(
      join(folder, "volumes.json"),
      JSON.stringify({ version: 1, bootId: "x", volumes: [record] }),
    );
    const { volumes, store, close } = await host.open();
    onTestFinished(close);
    expect(await volumes.list()).toEqual([]);
    await waitUntil("its record is gone", () => store.records.length === 0);
    expect(host.daemonOf("v").calls).toContain("mount");
  });

  test("two volumes do not share a bucket and prefix; a known name is made again only as it was", async () => {
    const { volumes } = await opened();
    await volumes.create("v", media);
    await expect(volumes.create("w", media)).rejects.toThrow('b:media/ is volume "v" already');
    await volumes.create("w", { bucket: "b", prefix: "other/" });
    await volumes.create("v", { prefix: "media/", bucket: "b" });
    await volumes.create("v", {});
    await expect(volumes.create("v", { bucket: "c" })).rejects.toThrow("other options");
    expect((await volumes.list()).map(({ Name }) => Name)).toEqual(["v", "w"]);
  });

  test("a mount that fails says why, and leaves no user behind", async () => {
    const { volumes, host, store } = await opened();
    await volumes.create("v", media);
    host.daemonOf("v").failure = "Cannot reach S3";
    await expect(volumes.mount("v", "one")).rejects.toThrow("Cannot reach S3");
    expect(store.find("v")).toMatchObject({ references: {}, isUnsettled: false });
    expect(await volumes.path("v")).toBe("");
  });

  test.each(["../../x", "a/b", "a b", ".hid", "", "x".repeat(129)])(
    "%j is no name",
    async (name) => {
      const { volumes } = await opened();
      await expect(volumes.create(name, media)).rejects.toThrow("as a volume's name");
    },
  );
});
