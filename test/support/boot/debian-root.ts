// Debian's own packages as the root of a machine that can boot; made once and kept outside the checkout.
import { execFile } from "node:child_process";
import { access, mkdir, rename, rm } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

export const suites = ["bookworm", "trixie"] as const;
export type Suite = (typeof suites)[number];

// python3: a Synapse that was installed on bookworm runs on bookworm's
const packages =
  "systemd,systemd-sysv,dbus,fuse3,mount,util-linux,procps,ca-certificates,python3,python3-venv,libexpat1";
const version = "1";

/** The folder of a suite's root, made when it is missing; nobody may change what is in it. */
export async function debianRoot(suite: Suite): Promise<string> {
  const cache = process.env["PAILFS_TEST_CACHE"] ?? join(homedir(), ".cache/pailfs-test");
  const root = join(cache, `debian-${suite}-${version}`);
  if (await exists(root)) return root;
  await mkdir(cache, { recursive: true });
  const unfinished = `${root}.new-${process.pid}`;
  const what = ["--variant=minbase", `--include=${packages}`, "--quiet", "--format=directory"];
  await run("mmdebstrap", [...what, suite, unfinished], { timeout: 240_000 });
  try {
    await rename(unfinished, root);
  } catch (error) {
    // another run was faster
    await rm(unfinished, { recursive: true, force: true });
    if (!(await exists(root))) throw error;
  }
  return root;
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
