import * as fs from "node:fs/promises";
import { expect, test } from "vitest";
import { isMounted } from "../support/real-mount.ts";
import { waitUntil } from "../support/mount/wait-until.ts";
import { rampBytes } from "../support/s3-store.ts";
import { onMounts, type Scene, stale } from "./scene.ts";

const MIB = 1024 ** 2;
const down = { effect: { kind: "status", status: 503 } };
const noUploads = { ...down, verbs: ["PUT"] };

/** kill -9, and a new daemon on the same state. To ask for the pid later would close duplicates of open files, in a child. */
async function crash({ mount }: Scene, pid: number): Promise<void> {
  process.kill(pid, "SIGKILL");
  await waitUntil("the mount is gone", async () => !(await isMounted(mount.mountpoint)), 20_000);
  await mount.mount();
}

onMounts(["--s3-deadline=2s", "--negative-ttl=0", "--spool-size=16M"], (scene) => {
  test("What was closed is safe", async () => {
    const here = scene();
    const pid = await here.mount.daemonPid();
    await here.fault(noUploads);
    await fs.writeFile(here.at("closed"), "closed");
    const synced = await fs.open(here.at("synced"), "w");
    await synced.writeFile("synced");
    await synced.sync();
    await synced.appendFile(" and lost");
    await crash(here, pid);
    await synced.close().catch(() => undefined);
    expect(await fs.readFile(here.at("closed"), "utf8")).toBe("closed");
    expect(await fs.readFile(here.at("synced"), "utf8")).toMatch(/^synced/);
    await here.clearFaults();
    await here.flush();
    expect(await here.get("closed")).toBe("closed");
    expect(await here.get("synced")).toBe("synced");
  });

  test("A name is absent only when S3 said so", async () => {
    const { at, put, fault, clearFaults } = scene();
    await put("there", "x");
    await fs.stat(at("there"));
    await expect(fs.stat(at("not-there"))).rejects.toMatchObject({ code: "ENOENT" });
    await fault(down);
    await expect(fs.stat(at("not-there"))).rejects.toMatchObject({ code: "EIO" });
    await expect(fs.readFile(at("unknown"))).rejects.toMatchObject({ code: "EIO" });
    expect((await fs.stat(at("there"))).size).toBe(1);
    await clearFaults();
    await expect(fs.stat(at("not-there"))).rejects.toMatchObject({ code: "ENOENT" });
  });

  test("A reader never sees a mix of two versions", async () => {
    const { mount, at, flush } = scene();
    const ramp = (count: number, size: number): Promise<unknown> =>
      mount.admin("ramp", { prefix: "big", count, size });
    const size = 40 * MIB;
    await ramp(0, size);
    const file = await fs.open(at("big"), "r");
    const bytes = Buffer.alloc(1000);
    await file.read(bytes, 0, 1000, 0);
    expect(bytes.equals(rampBytes(1000))).toBe(true);
    await ramp(9, size + 1);
    const late = file.read(bytes, 0, 1000, size - 1000);
    await expect(late).rejects.toMatchObject(stale);
    await file.close();
    const again = await fs.open(at("big"), "r");
    expect((await again.stat()).size).toBe(size + 1);
    await again.read(bytes, 0, 1000, size - 1000);
    expect(bytes.equals(rampBytes(1000, 9 + ((size - 1000) % 251)))).toBe(true);
    await fs.writeFile(at("big"), "ours");
    await flush();
    await again.read(bytes, 0, 1000, 20 * MIB);
    expect(bytes.equals(rampBytes(1000, 9 + ((20 * MIB) % 251)))).toBe(true);
    await again.close();
    expect(await fs.readFile(at("big"), "utf8")).toBe("ours");
  });

  test("A writer that dies leaves the old content", async () => {
    const here = scene();
    const pid = await here.mount.daemonPid();
    await fs.writeFile(here.at("old"), "old content");
    await here.flush();
    const files = [await fs.open(here.at("old"), "w"), await fs.open(here.at("new"), "wx")];
    for (const file of files) await file.write("half of");
    await crash(here, pid);
    for (const file of files) await file.close().catch(() => undefined);
    expect(await fs.readFile(here.at("old"), "utf8")).toBe("old content");
    await expect(fs.stat(here.at("new"))).rejects.toMatchObject({ code: "ENOENT" });
    await here.flush();
    expect(await here.get("old")).toBe("old content");
    expect(await here.get("new")).toBeUndefined();
  });

  test("The bucket stays plain", async () => {
    const { at, put, get, keys, flush } = scene();
    await fs.mkdir(at("plain/sub"), { recursive: true });
    await fs.writeFile(at("plain/sub/a + b %.txt"), "the bytes");
    await flush();
    expect(await keys("plain")).toEqual(["plain/sub/a + b %.txt"]);
    expect(await get("plain/sub/a + b %.txt")).toBe("the bytes");
    await put("other/tool.txt", "theirs");
    expect(await fs.readFile(at("other/tool.txt"), "utf8")).toBe("theirs");
  });

  test("Trouble with S3 does not stop writers", async () => {
    const { at, get, keys, fault, clearFaults, flush } = scene();
    await fs.mkdir(at("trouble"));
    await fault(down);
    for (const name of ["a", "b", "c"]) await fs.writeFile(at(`trouble/${name}`), name);
    await fs.rename(at("trouble/a"), at("trouble/z"));
    await fs.rm(at("trouble/b"));
    expect(await fs.readdir(at("trouble"))).toEqual(["c", "z"]);
    expect(await fs.readFile(at("trouble/z"), "utf8")).toBe("a");
    await clearFaults();
    await flush();
    expect(await keys("trouble/")).toEqual(["trouble/c", "trouble/z"]);
    expect(await get("trouble/z")).toBe("a");
  });

  test("What could not be written whole is not published", async () => {
    const { at, get, fault, clearFaults, flush } = scene();
    await fs.mkdir(at("full"));
    await fs.writeFile(at("full/whole"), "previous");
    await flush();
    await fault(down);
    const full = { code: "ENOSPC" };
    const writers = [await fs.open(at("full/whole"), "w"), await fs.open(at("full/new"), "w")];
    for (const writer of writers) {
      const filling = writer.appendFile(Buffer.alloc(24 * MIB));
      // by passthrough the disk takes it
      await filling.catch((error: unknown) => expect(error).toMatchObject(full));
      await expect(writer.sync()).rejects.toMatchObject(full);
      await expect(writer.close()).rejects.toMatchObject(full);
    }
    expect(await fs.readFile(at("full/whole"), "utf8")).toBe("previous");
    const isGone = (): Promise<boolean> =>
      fs.stat(at("full/new")).then(
        () => false,
        (error: NodeJS.ErrnoException) => error.code === "ENOENT",
      );
    await waitUntil("the new name is gone", isGone);
    const log = await fs.open(at("full/log"), "a");
    await log.write("kept ");
    await log.appendFile(Buffer.alloc(24 * MIB)).catch(() => undefined);
    await log.truncate("kept ".length);
    await log.write("and more");
    await log.close();
    await clearFaults();
    await flush();
    expect(await get("full/whole")).toBe("previous");
    expect(await get("full/new")).toBeUndefined();
    expect(await get("full/log")).toBe("kept and more");
  });
});
