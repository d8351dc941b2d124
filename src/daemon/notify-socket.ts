import { execFile } from "node:child_process";
import { log } from "../log.ts";
import { loadSystemCalls } from "../posix/syscalls.ts";

/** Sends assignments as sd_notify(3) knows them; never rejects: a lost one is the service manager's to miss. */
export type Notify = (assignments: Readonly<Record<string, string>>) => Promise<void>;

/** The way to a service manager: a datagram where koffi is there, else systemd-notify(1). */
export async function openNotifySocket(socketPath: string): Promise<Notify> {
  const system = await loadSystemCalls();
  const viaProgram = programNotify(socketPath);
  if (system === undefined) return viaProgram;
  return async (assignments) => {
    const text = lines(assignments).join("\n");
    try {
      system.sendDatagram(socketPath, Buffer.from(text));
    } catch (error) {
      log.debug("cannot notify %s: %s", socketPath, error);
      await viaProgram(assignments);
    }
  };
}

function programNotify(socketPath: string): Notify {
  return (assignments) =>
    new Promise((resolve) => {
      const env = { PATH: "/usr/bin:/bin", NOTIFY_SOCKET: socketPath };
      execFile("systemd-notify", lines(assignments), { timeout: 5000, env }, (error) => {
        if (error !== null) log.warn("cannot notify the service manager: %s", error.message);
        resolve();
      });
    });
}

function lines(assignments: Readonly<Record<string, string>>): string[] {
  return Object.entries(assignments).map(
    ([name, value]) => `${name}=${value.replaceAll("\n", " ")}`,
  );
}
