import * as fs from "node:fs/promises";
import { promisify } from "node:util";
import { execFile } from "node:child_process";
import { expect, test } from "vitest";
import { waitUntil } from "../support/mount/wait-until.ts";
import { isMounted } from "../support/real-mount.ts";
import { onMounts } from "./scene.ts";

const run = promisify(execFile);
const verbs = ["PUT", "GET", "HEAD", "LIST", "DELETE", "COPY"];

onMounts(["--local-prefix=kept,also"], (scene) => {
  test("A local prefix never reaches the bucket", async () => {
    const { mount, agent, at, keys, flush, fault, clearFaults } = scene();
    await mount.requests();
    await fault({ effect: { kind: "status", status: 503 }, verbs });
    await fs.mkdir(at("kept/2026-01-01"), { recursive: true });
    await fs.writeFile(at("kept/2026-01-01/page"), "<html>");
    await fs.rename(at("kept/2026-01-01/page"), at("kept/moved"));
    await fs.chmod(at("kept/moved"), 0o600);
    await agent.run("os.setxattr(p, 'user.x', b'y')", { p: at("kept/moved") });
    expect(await fs.readFile(at("kept/moved"), "utf8")).toBe("<html>");
    expect((await fs.readdir(at("kept"))).sort()).toEqual(["2026-01-01", "moved"]);
    await expect(fs.stat(at("kept/absent"))).rejects.toMatchObject({ code: "ENOENT" });
    await flush();
    await mount.pailfs("refresh", mount.mountpoint, at("kept/moved"));
    expect(await mount.requests()).toMatchObject({ total: 0 });
    await clearFaults();
    expect(await keys()).toEqual([]);
    const status = JSON.parse(await mount.pailfs("status", "--json", mount.mountpoint)) as object;
    expect(status).toHaveProperty("local.bytes");
    await fs.rm(at("kept"), { recursive: true });
    await expect(fs.stat(at("kept"))).rejects.toMatchObject({ code: "ENOENT" });
  });

  test("A local prefix is as durable as the local disk", async () => {
    const { mount, at } = scene();
    const pid = await mount.daemonPid();
    await fs.mkdir(at("kept"));
    const open = await fs.open(at("kept/open"), "w");
    await open.writeFile("written, not closed");
    await fs.writeFile(at("kept/closed"), "closed");
    const { ino } = await fs.stat(at("kept/closed"));
    process.kill(pid, "SIGKILL");
    await waitUntil("the mount is gone", async () => !(await isMounted(mount.mountpoint)), 20_000);
    await open.close().catch(() => undefined);
    await mount.mount();
    expect(await fs.readFile(at("kept/closed"), "utf8")).toBe("closed");
    expect(await fs.readFile(at("kept/open"), "utf8")).toBe("written, not closed");
    expect((await fs.stat(at("kept/closed"))).ino).toBe(ino);
    // as on any disk, and not as in the rest of the mount: readers see an empty file
    const writer = await fs.open(at("kept/closed"), "w");
    expect(await fs.readFile(at("kept/closed"), "utf8")).toBe("");
    await writer.writeFile("new");
    await writer.sync();
    await writer.close();
    expect(await fs.readFile(at("kept/closed"), "utf8")).toBe("new");
    await fs.rm(at("kept"), { recursive: true });
  });

  test("A local prefix is another disk to rename", async () => {
    const { at, get, flush } = scene();
    await fs.mkdir(at("kept"));
    await fs.writeFile(at("kept/a"), "from the disk");
    await fs.writeFile(at("far"), "from the bucket");
    await expect(fs.rename(at("kept/a"), at("a"))).rejects.toMatchObject({ code: "EXDEV" });
    await expect(fs.rename(at("far"), at("kept/far"))).rejects.toMatchObject({ code: "EXDEV" });
    // mv(1) copies then
    await run("mv", [at("kept/a"), at("a")], { timeout: 20_000 });
    await run("mv", [at("far"), at("kept/far")], { timeout: 20_000 });
    await flush();
    expect(await get("a")).toBe("from the disk");
    expect(await get("far")).toBeUndefined();
    expect(await fs.readFile(at("kept/far"), "utf8")).toBe("from the bucket");
    await fs.rm(at("kept"), { recursive: true });
    await fs.rm(at("a"));
  });

  test("A local prefix hides objects of its name", async () => {
    const { mount, at, put, get, keys } = scene();
    await put("also/old", "in the bucket");
    await put("other", "x");
    await mount.pailfs("refresh", mount.mountpoint);
    await expect(fs.stat(at("also"))).rejects.toMatchObject({ code: "ENOENT" });
    expect(await fs.readdir(mount.mountpoint)).toEqual(["other"]);
    await fs.mkdir(at("also"));
    await fs.writeFile(at("also/old"), "on the disk");
    expect((await fs.readdir(mount.mountpoint)).sort()).toEqual(["also", "other"]);
    expect(await fs.readFile(at("also/old"), "utf8")).toBe("on the disk");
    await fs.rm(at("also"), { recursive: true });
    expect(await get("also/old")).toBe("in the bucket");
    expect(await keys()).toEqual(["also/old", "other"]);
  });
});
