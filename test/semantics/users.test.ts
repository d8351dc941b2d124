// Who may enter a mount, and what is different without root. Each test has its paragraph's heading.
import { spawn } from "node:child_process";
import { once } from "node:events";
import * as fs from "node:fs/promises";
import { expect, onTestFinished, test } from "vitest";
import { isAlive, md5 } from "../mount/daemon-fixture.ts";
import { waitUntil } from "../support/mount/wait-until.ts";
import { agentOf, makeUserPlace, mountedUserPlace, otherUser } from "../mount/user-fixture.ts";

test("A mount is for the user who made it", async () => {
  const place = await mountedUserPlace();
  await agentOf().run("os.mkdir(p)", { p: place.path("d") });
  const denied = { code: "EACCES" };
  await expect(fs.stat(place.path("d"))).rejects.toMatchObject(denied);
  const look = agentOf(otherUser).run("os.stat(p)", { p: place.path("d") });
  await expect(look).rejects.toMatchObject(denied);
});

test("Without root all bytes go through the daemon", async () => {
  const place = await mountedUserPlace();
  const agent = agentOf();
  const block = 300_000;
  await agent.run("f = open(p, 'w+b'); f.write(b'x' * n); f.flush()", {
    p: place.path("f"),
    n: block,
  });
  expect((await place.status()).passthrough).toBe(false);
  expect(await agent.run("f.seek(0); result = len(f.read()); f.close()")).toBe(block);
  const chown = agent.run("os.chown(p, 2, 2)", { p: place.path("f") });
  await expect(chown).rejects.toMatchObject({ code: "EPERM" });
  await place.umount();
});

test("A device that was handed over is served, not unmounted", async () => {
  const place = await makeUserPlace();
  // root opens descriptor 7 and mounts it, a user serves it
  const script = `exec 7<>/dev/fuse
    mount -i -t fuse -o fd=7,rootmode=40000,user_id=0,group_id=0,default_permissions,noatime bucket "$1"
    shift
    exec setpriv --reuid 1 --regid 1 --clear-groups "$@"`;
  const program = new URL("../../bin/pailfs.js", import.meta.url).pathname;
  const argv = place.mountArguments().map((word) => word.replace(/^.*\/mnt$/, "/dev/fd/7"));
  const words = [place.mountpoint, process.execPath, program, ...argv];
  const child = spawn("/bin/sh", ["-c", script, "sh", ...words], {
    stdio: "ignore",
    env: {
      ...process.env,
      ...place.variables,
      HOME: place.folder,
      PAILFS_RUNTIME_DIR: `${place.folder}/run`,
    },
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  expect(await once(child, "exit")).toEqual([0, null]);
  const pid = await place.daemonPid();
  expect(await fs.readFile("/proc/self/mounts", "utf8")).toMatch(
    new RegExp(`bucket ${place.mountpoint} fuse rw,noatime,`),
  );
  // root's mount without allow_other: it is root who may enter
  await fs.writeFile(place.path("f"), "kept");
  process.kill(pid, "SIGTERM");
  await waitUntil("the daemon ends", () => !isAlive(pid));
  await expect(fs.statfs(place.mountpoint)).rejects.toMatchObject({ code: "ENOTCONN" });
  expect(await place.isMounted()).toBe(true);
  expect(await place.bucket()).toEqual({ f: md5("kept") });
});
