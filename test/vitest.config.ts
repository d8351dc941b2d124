import { defineConfig } from "vitest/config";

// memory of the read path that was given back is overwritten, so that a look at it is a wrong byte
const env = { NODE_DEBUG: "pailfs-poison" };

// `unit` needs no mount and runs files side by side; `mount` needs root and /dev/fuse, one file at a time.
export default defineConfig({
  test: {
    root: new URL(".", import.meta.url).pathname,
    projects: [
      {
        test: {
          name: "unit",
          env,
          include: [
            "unit/**/*.test.ts",
            "s3/**/*.test.ts",
            "posix/core*.test.ts",
            "model/core*.test.ts",
          ],
          testTimeout: 20_000,
        },
      },
      {
        test: {
          name: "mount",
          env,
          // lives, outages and kills of the daemon: five minutes, and some wait for deadlines that a busy machine
          // misses, so they run with scripts/test --full
          exclude:
            process.env["PAILFS_TEST_FULL"] === "1"
              ? []
              : ["mount/{daemon,outage,recovery}-*.test.ts"],
          include: [
            "mount/**/*.test.ts",
            "posix/kernel*.test.ts",
            "semantics/**/*.test.ts",
            "model/mount*.test.ts",
          ],
          pool: "forks",
          fileParallelism: false,
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
    ],
  },
});
