import * as fs from "node:fs/promises";
import { expect, test } from "vitest";
import { Agent } from "../support/mount/agent.ts";
import { onMounts } from "./scene.ts";

onMounts([], (scene) => {
  test("Locks hold on this host", async () => {
    const { mount, agent, at } = scene();
    await fs.writeFile(at("locked"), "x");
    const other = new Agent();
    const open = "f = os.open(p, os.O_RDWR)";
    for (const who of [agent, other]) await who.run(open, { p: at("locked") });
    await mount.requests();
    for (const call of ["fcntl.flock", "fcntl.lockf"]) {
      const lock = `${call}(f, fcntl.LOCK_EX | fcntl.LOCK_NB)`;
      await agent.run(lock);
      await expect(other.run(lock)).rejects.toMatchObject({ code: "EAGAIN" });
      await agent.run(`${call}(f, fcntl.LOCK_UN)`);
      await other.run(lock);
      await other.run(`${call}(f, fcntl.LOCK_UN)`);
    }
    for (const who of [agent, other]) await who.run("os.close(f)");
    await other.stop();
  });

  test("Shared mappings work on this host", async () => {
    const { agent, at, get, flush } = scene();
    await agent.run("f = os.open(p, os.O_RDWR | os.O_CREAT); os.ftruncate(f, 8192)", {
      p: at("mapped"),
    });
    await agent.run("m = mmap.mmap(f, 8192); os.close(f); m[0:5] = b'hello'; m.flush()");
    const bytes = await fs.readFile(at("mapped"));
    expect(bytes.subarray(0, 5).toString()).toBe("hello");
    await agent.run("m[4096:4101] = b'world'; m.close()");
    await flush();
    const text = await get("mapped");
    expect([text?.slice(0, 5), text?.slice(4096, 4101), text?.length]).toEqual([
      "hello",
      "world",
      8192,
    ]);
  });
});
