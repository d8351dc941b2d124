// Synapse as a user who is not root, without any capability: Python and its packages are shown where that user may go.
import { execFile } from "node:child_process";
import { mkdir } from "node:fs/promises";
import { basename, join } from "node:path";
import { promisify } from "node:util";
import type { HomeserverOptions } from "./homeserver.ts";
import { synapsePackages, synapsePython } from "./real-synapse.ts";

const run = promisify(execFile);

export interface OtherUser {
  readonly launch: NonNullable<HomeserverOptions["launch"]>;
  /** Takes away what was shown. */
  end(): Promise<void>;
}

/** setpriv(1) and its words for a user with nothing but its id. */
export function asUser(uid: number): string[] {
  const drop = ["--clear-groups", "--inh-caps=-all", "--bounding-set=-all", "--no-new-privs"];
  return ["setpriv", "--reuid", `${uid}`, "--regid", `${uid}`, ...drop];
}

/** Shows Python below `folder`, which all may enter. */
export async function otherUser(uid: number, folder: string): Promise<OtherUser> {
  const asked = "import os, sys; print(sys.base_prefix, os.path.realpath(sys._base_executable))";
  const { stdout } = await run(await synapsePython(), ["-c", asked]);
  const [prefix = "", program = ""] = stdout.trim().split(" ");
  const python = join(folder, "python");
  const packages = join(folder, "packages");
  for (const [from, to] of [
    [prefix, python],
    [await synapsePackages(), packages],
  ] as const) {
    await mkdir(to);
    await run("mount", ["--bind", from, to]);
    // whatever removes the folder must not remove what is shown in it
    await run("mount", ["-o", "remount,bind,ro", to]);
  }
  const variables = {
    PYTHONPATH: packages,
    PYTHONDONTWRITEBYTECODE: "1",
    HOME: folder,
    // a Python that was built in a home has its library there
    LD_LIBRARY_PATH: join(python, "lib"),
  };
  return {
    launch: { command: [...asUser(uid), join(python, "bin", basename(program))], variables },
    end: async () => {
      for (const place of [python, packages]) await run("umount", ["-l", place]);
    },
  };
}
