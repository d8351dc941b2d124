import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { startRealMount } from "../support/real-mount.ts";
import { driverOfMount } from "./mount-driver.ts";
import { posixSuite } from "./posix-suite.ts";

posixSuite("a local prefix of a mount", async () => {
  const mount = await startRealMount("--allow-other", "--local-prefix=kept");
  const mountpoint = join(mount.mountpoint, "kept");
  await mkdir(mountpoint);
  const driver = driverOfMount({ mountpoint, stop: () => mount.stop() });
  // an xattr fits into one block of ext4
  return { ...driver, largeXattr: 3000 };
});
