// One daemon per state directory: whoever has the listening socket in it is the one. Works across containers that share
// the volume, where process ids and flock do not tell; the daemon answers its control protocol on the same socket.
import { randomBytes } from "node:crypto";
import { chmod, type FileHandle, link, open, rename, stat, unlink } from "node:fs/promises";
import { connect, createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { errnoOf, Errno, FsError } from "../posix/errno.ts";

/** Name of the socket inside the state directory. */
export const SOCKET_NAME = "control.sock";

// sun_path has 108 bytes with its NUL (unix(7))
const MAX_SOCKET_PATH_BYTES = 107;
// longer than another contender needs from displacing our socket to putting it back
const SETTLE_MS = 100;
const ATTEMPTS = 20;
const PROBE_TIMEOUT_MS = 5000;

/** The lock, held until `release`. */
export interface StateLock {
  /** Listening; the daemon adds its connection listener. */
  readonly server: Server;
  /** Path of the socket, which may be too long to connect to as it is (see connectablePath). */
  readonly path: string;
  /** Closes the socket with its connections and removes it; never rejects. */
  release(): Promise<void>;
}

/**
 * Takes the lock of `directory`, which exists. Rejects with EBUSY when another daemon is alive.
 *
 * The socket is bound under a name of its own and then linked to SOCKET_NAME, which fails if that exists. A dead
 * socket is moved aside; if what was moved turns out to be another one (somebody was faster), it is put back. Whoever
 * linked looks again after a moment whether the name is still its own.
 */
export async function acquireStateLock(directory: string): Promise<StateLock> {
  const folder = await open(directory);
  const ownName = `.${SOCKET_NAME}.${randomBytes(6).toString("hex")}`;
  const ownPath = join(directory, ownName);
  const path = join(directory, SOCKET_NAME);
  const server = createServer();
  const connections = new Set<Socket>();
  server.on("connection", (socket) => {
    connections.add(socket);
    socket.once("close", () => connections.delete(socket));
  });
  try {
    await listen(server, connectablePath(directory, ownName, folder));
    await chmod(ownPath, 0o600);
    const { ino } = await stat(ownPath);
    await claim(directory, folder, ownPath, ino);
    await removeIfThere(ownPath);
    return {
      server,
      path,
      release: async () => {
        if ((await inodeOf(path).catch(() => undefined)) === ino) await removeIfThere(path);
        for (const socket of connections) socket.destroy();
        await closeServer(server);
        await folder.close().catch(() => undefined);
      },
    };
  } catch (error) {
    await removeIfThere(ownPath);
    await closeServer(server);
    await folder.close();
    throw error;
  }
}

/** A path to socket `name` in `directory` that fits into sun_path; goes through the open `folder` when it must. */
export function connectablePath(directory: string, name: string, folder: FileHandle): string {
  const path = join(directory, name);
  const fits = Buffer.byteLength(path) <= MAX_SOCKET_PATH_BYTES;
  return fits ? path : `/proc/self/fd/${folder.fd}/${name}`;
}

async function claim(
  directory: string,
  folder: FileHandle,
  ownPath: string,
  ownIno: number,
): Promise<void> {
  const path = join(directory, SOCKET_NAME);
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    if (await linkUnlessThere(ownPath, path)) {
      await delay(SETTLE_MS);
      if ((await inodeOf(path)) === ownIno) return;
      continue;
    }
    const found = await inodeOf(path);
    if (found === undefined) continue;
    if (await isAlive(connectablePath(directory, SOCKET_NAME, folder))) {
      throw new FsError("EBUSY", `Cannot use "${directory}": another pailfs is using it`);
    }
    await moveAside(path, `${ownPath}.stale`, found);
  }
  throw new FsError("EBUSY", `Cannot use "${directory}": others are starting on it`);
}

/** Removes the dead socket with inode number `dead`; puts back what it caught instead of that. */
async function moveAside(path: string, asidePath: string, dead: number): Promise<void> {
  try {
    await rename(path, asidePath);
  } catch (error) {
    if (errnoOf(error) === Errno.ENOENT) return;
    throw error;
  }
  if ((await inodeOf(asidePath)) !== dead) await linkUnlessThere(asidePath, path);
  await removeIfThere(asidePath);
}

async function linkUnlessThere(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
    return true;
  } catch (error) {
    if (errnoOf(error) === Errno.EEXIST) return false;
    throw error;
  }
}

/** Whether somebody listens; anything but a refusal counts as yes, so that doubt never breaks a lock. */
async function isAlive(socketPath: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(socketPath);
    const answer = (alive: boolean): void => {
      socket.destroy();
      resolve(alive);
    };
    socket.setTimeout(PROBE_TIMEOUT_MS, () => answer(true));
    socket.once("connect", () => answer(true));
    socket.once("error", (error: NodeJS.ErrnoException) => {
      // ENOTSOCK: an ordinary file of that name
      answer(!["ECONNREFUSED", "ENOENT", "ENOTSOCK"].includes(error.code ?? ""));
    });
  });
}

async function inodeOf(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).ino;
  } catch (error) {
    if (errnoOf(error) === Errno.ENOENT) return undefined;
    throw error;
  }
}

async function removeIfThere(path: string): Promise<void> {
  // a leftover of a random name harms nobody
  await unlink(path).catch(() => undefined);
}

async function listen(server: Server, path: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(path, () => {
      server.off("error", reject);
      resolve();
    });
  });
}

async function closeServer(server: Server): Promise<void> {
  await new Promise<void>((resolve) => {
    if (server.listening) server.close(() => resolve());
    else resolve();
  });
}
