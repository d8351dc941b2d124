// Who may enter a mount, and what is different without root. Each test has its paragraph's heading.
import * as fs from "node:fs/promises";
import { expect, test } from "vitest";
import { agentOf, mountedUserPlace, otherUser } from "../mount/user-fixture.ts";

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
