// The same suite, without a difference, on what an ordinary user mounted by fusermount3.
import { startUserMount } from "../support/real-mount.ts";
import { driverOfMount } from "./mount-driver.ts";
import { posixSuite } from "./posix-suite.ts";

posixSuite("a bucket mounted by fusermount3", async () => {
  // root's, so that the tests' own directories belong to the one who tests
  return driverOfMount(await startUserMount("--allow-other", "--uid=0", "--gid=0"));
});
