// A Place whose commands and calls are an ordinary user's: nobody else may enter such a mount, root neither.
import { chmod, chown, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { Agent } from "../support/mount/agent.ts";
import { openFuseDevice } from "../support/real-mount.ts";
import { Place } from "./daemon-fixture.ts";

/** Two users that every Linux has in /etc/passwd, as fusermount3 wants. */
export const daemonUser = { uid: 1, gid: 1 } as const;
export const otherUser = { uid: 2, gid: 2 } as const;

/** Makes a place that belongs to `daemonUser`, who also runs its commands. */
export async function makeUserPlace(): Promise<Place> {
  await openFuseDevice();
  const place = await Place.make();
  await chmod(place.folder, 0o755);
  for (const name of ["mnt", "cache", "state", "run", "tmp"]) {
    const path = join(place.folder, name);
    await mkdir(path, { recursive: true });
    await chown(path, daemonUser.uid, daemonUser.gid);
  }
  place.user = daemonUser;
  return place;
}

/** As makeUserPlace(), mounted. */
export async function mountedUserPlace(...options: string[]): Promise<Place> {
  const place = await makeUserPlace();
  await place.mount(...options);
  return place;
}

/** A process of that user's for calls into the mount; gone after the test. */
export function agentOf(user: { readonly uid: number; readonly gid: number } = daemonUser): Agent {
  const agent = new Agent(user);
  onTestFinished(() => agent.stop());
  return agent;
}
