// The end of a mount, whichever adapter serves it.
import { readFile, writeFile } from "node:fs/promises";
import { expect, test } from "vitest";
import type { ChildMount, MountInChildOptions } from "../support/mount/mount-in-child.ts";
import { waitUntil } from "../support/mount/wait-until.ts";
import { agent } from "./mount-fixture.ts";

/** `fstatErrno` is what fstat(2) of an open file says when the daemon is dead, where its attributes are not kept. */
export function lifeSuite(
  mount: (options?: MountInChildOptions) => Promise<ChildMount>,
  fstatErrno?: string,
): void {
  test("a busy mount says so and goes on; lazily unmounted it serves until the last close", async () => {
    const mounted = await mount();
    const other = agent();
    await other.run("f = open(p, 'w+')", { p: mounted.path("f") });
    expect(await mounted.command({ do: "unmount", lazy: false })).toBe("busy");
    expect(await readFile(mounted.path("f"), "utf8")).toBe("");
    expect(await mounted.command({ do: "unmount", lazy: true })).toBe("done");
    expect(await mounted.isMounted()).toBe(false);
    await other.run("f.write('still here'); f.flush(); f.seek(0); result = f.read()");
    expect(await mounted.counts()).toMatchObject({ files: 1 });
    await other.run("f.close()");
    await mounted.closed;
  });

  test("a read-only mount refuses writes", async () => {
    const mounted = await mount({ mount: { readOnly: true } });
    await expect(writeFile(mounted.path("f"), "x")).rejects.toMatchObject({ code: "EROFS" });
  });

  test("after kill -9 callers get an error, the watchdog removes the mount, and it can be mounted again", async () => {
    const mounted = await mount({ delays: { "file.read": 30_000 } });
    await writeFile(mounted.path("f"), "x");
    const other = agent();
    await other.run("f = os.open(p, os.O_RDWR)", { p: mounted.path("f") });
    const reading = other.run("os.read(f, 1)").catch((error: { code: string }) => error.code);
    await waitUntil("the read is in flight", async () => (await mounted.counts()).inFlight === 1);
    mounted.kill("SIGKILL");
    expect(["ENOTCONN", "ECONNABORTED"]).toContain(await reading);
    if (fstatErrno !== undefined)
      await expect(other.run("os.fstat(f)")).rejects.toMatchObject({ code: fstatErrno });
    await waitUntil("the watchdog removed the mount", async () => !(await mounted.isMounted()));
    const again = await mount({ mount: { mountpoint: mounted.mountpoint } });
    await writeFile(again.path("g"), "y");
    expect(await readFile(again.path("g"), "utf8")).toBe("y");
    await again.stop();
  });
}
