// The detached process of one mount, as spawn-daemon.ts starts it.
import type { DaemonAnswer, DaemonStart } from "./daemon-start.ts";
import { runDaemonProcess } from "./daemon-process.ts";
import { loadParts } from "./load-parts.ts";
import { StartError, toStartError } from "./start-error.ts";

/** Waits for its orders, mounts, answers, serves; resolves to whether it ended as it should. */
export async function runDaemonChild(): Promise<boolean> {
  try {
    const [start, parts] = await Promise.all([receiveStart(), loadParts()]);
    const daemon = await runDaemonProcess(start, parts);
    await answer({ kind: "ready", warning: daemon.warning });
    // the parent may have died of a Ctrl-C meanwhile; the mount is there, and stays
    if (process.connected) process.disconnect();
    await daemon.finished;
    return true;
  } catch (error) {
    const { kind, message } = toStartError(error);
    await answer({ kind: "failed", failure: kind, message });
    if (process.connected) process.disconnect();
    return false;
  }
}

async function receiveStart(): Promise<DaemonStart> {
  return new Promise((resolve, reject) => {
    if (process.send === undefined) {
      reject(new StartError("usage", "This command is for pailfs itself: use pailfs mount"));
      return;
    }
    process.once("message", (message) => resolve(message as DaemonStart));
    process.once("disconnect", () =>
      reject(new StartError("interrupted", "The process that wanted a mount went away")),
    );
  });
}

async function answer(message: DaemonAnswer): Promise<void> {
  return new Promise((resolve) => {
    if (process.send === undefined || !process.connected) resolve();
    else process.send(message, () => resolve());
  });
}
