import * as fs from "node:fs/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { waitUntil } from "../support/mount/wait-until.ts";
import { type Scene, startScene } from "./scene.ts";

let scene: Scene;
let stop = async (): Promise<void> => {};

beforeAll(async () => {
  ({ scene, stop } = await startScene("--delete-delay=1h", "--delete-burst=5"));
});
afterAll(async () => stop());

/** Objects that others made, and that the mount knows. */
async function given(texts: Readonly<Record<string, string>>): Promise<void> {
  for (const [key, text] of Object.entries(texts)) await scene.put(key, text);
  await scene.mount.pailfs("refresh", scene.mount.mountpoint);
}

const absent = { code: "ENOENT" };

test("Removed files can be brought back with delete_delay", async () => {
  const { at, put, keys, mount, flush } = scene;
  for (const key of ["back/1", "back/sub/2", "back/sub/3"]) await put(key, `text of ${key}`);
  await fs.chmod(at("back/1"), 0o600);
  await fs.rm(at("back"), { recursive: true });
  await expect(fs.stat(at("back/sub/2"))).rejects.toMatchObject(absent);
  expect(await fs.readdir(mount.mountpoint)).not.toContain("back");
  // nobody waits for what is delayed
  await flush();
  await mount.umount();
  await mount.mount("--delete-delay=1h", "--delete-burst=5");
  await expect(fs.stat(at("back"))).rejects.toMatchObject(absent);
  expect(await fs.readdir(mount.mountpoint)).not.toContain("back");
  expect(await keys("back/")).toEqual(["back/1", "back/sub/2", "back/sub/3"]);
  expect(await mount.pailfs("status", mount.mountpoint)).toMatch(/deletes +3 wait until .*, 50 B/);
  expect(await mount.pailfs("queue", mount.mountpoint)).toMatch(
    /^Nothing is stuck\.\nDeletes: 3 wait/,
  );
  const list = await mount.pailfs("undelete", mount.mountpoint, "--list");
  expect(list).toMatch(/^"\/back\/1", 14 B, removed \d+ s ago, goes in \d+ min\n/);
  // the kernel hears of names that it knows as absent
  await expect(fs.stat(at("back"))).rejects.toMatchObject(absent);
  expect(await mount.pailfs("undelete", mount.mountpoint, at("back/sub"))).toBe("2 brought back\n");
  expect(await fs.readdir(at("back/sub"))).toEqual(["2", "3"]);
  expect(await fs.readFile(at("back/sub/3"), "utf8")).toBe("text of back/sub/3");
  await expect(fs.stat(at("back/1"))).rejects.toMatchObject(absent);
  expect(await mount.pailfs("undelete", mount.mountpoint, "--all")).toBe("1 brought back\n");
  expect((await fs.stat(at("back/1"))).mode & 0o777).toBe(0o600);
});

test("What takes the place of a removed file is final", async () => {
  const { at, get, mount, flush } = scene;
  await given({ "place/a": "old", "place/b": "old", "place/c": "old" });
  for (const key of ["place/a", "place/b", "place/c"]) await fs.rm(at(key));
  await fs.writeFile(at("place/a"), "new");
  await fs.mkdir(at("place/b"));
  const senseless = mount.pailfs("undelete", mount.mountpoint, "place/a", "--all");
  await expect(senseless).rejects.toMatchObject({ code: 2 });
  await expect(
    mount.pailfs("undelete", mount.mountpoint, "place/a", "place/b", "place/c"),
  ).rejects.toMatchObject({
    code: 1,
    stdout: "1 brought back\n",
    stderr: expect.stringMatching(
      /"\/place\/a": the name is there.*\n.*"\/place\/b": a new directory has its name/,
    ) as unknown,
  });
  expect(await fs.readFile(at("place/c"), "utf8")).toBe("old");
  await flush();
  expect(await get("place/a")).toBe("new");
});

test("A delayed delete is of the version that was removed", async () => {
  const { at, get, mount } = scene;
  await given({ "version/a": "ours", "version/b": "ours" });
  for (const key of ["version/a", "version/b"]) await fs.rm(at(key));
  await given({ "version/a": "of somebody else" });
  expect(await fs.readFile(at("version/a"), "utf8")).toBe("of somebody else");
  await mount.pailfs("flush", "--deletes", mount.mountpoint, at("version"));
  expect([await get("version/a"), await get("version/b")]).toEqual(["of somebody else", undefined]);
});

test("Many removed files are told of", async () => {
  const { at, keys, mount } = scene;
  const names = ["1", "2", "3", "4", "5", "6", "7"].map((name) => `burst/${name}`);
  await given(Object.fromEntries(names.map((name) => [name, "x"])));
  for (const name of names) await fs.rm(at(name));
  const status = (): Promise<string> => mount.pailfs("status", mount.mountpoint);
  expect(await status()).toMatch(/BURST +\d+ files were removed .*pailfs undelete .* --all/);
  expect(await mount.pailfs("flush", "--deletes", mount.mountpoint)).toMatch(/^\d+ deleted\n$/);
  expect(await keys("burst/")).toEqual([]);
  await waitUntil("the burst is over", async () => !/BURST|deletes/.test(await status()));
});
