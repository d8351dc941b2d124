import { execFile } from "node:child_process";
import { StartError } from "./start-error.ts";

export interface RemountRequest {
  /** As mountinfo has it. */
  readonly source: string;
  readonly mountpoint: string;
  /** Flags of the kernel, such as ro and noatime. */
  readonly words: readonly string[];
}

/** Changes the flags of a mount with mount(8); rejects with StartError. */
export async function remount({ source, mountpoint, words }: RemountRequest): Promise<void> {
  // util-linux 2.41 wants both names, and flags that are left out are dropped
  const flags = ["remount", "nosuid", "nodev", ...words.filter((word) => word !== "_netdev")];
  const argv = ["-i", "-o", flags.join(","), "--", source, mountpoint];
  const env = { LC_ALL: "C", PATH: "/usr/sbin:/usr/bin:/sbin:/bin" };
  return new Promise((resolve, reject) => {
    execFile("mount", argv, { timeout: 20_000, env }, (error, _, stderr) => {
      if (error === null) resolve();
      else {
        const reason = (stderr.trim() || error.message).split("\n").join(" ");
        const message = `Cannot remount "${mountpoint}": ${reason}`;
        reject(new StartError("runtime", message, { cause: error }));
      }
    });
  });
}
