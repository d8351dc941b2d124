import { defineConfig } from "vitest/config";

// memory of the read path that was given back is overwritten, so that a look at it is a wrong byte
const env = { NODE_DEBUG: "pailfs-poison" };

/** Lives, outages and kills of the daemon: each test has a place of its own and waits more than it works. */
const lives = "mount/{daemon,outage,recovery,unprivileged}-*.test.ts";

// `unit` needs no mount and runs files side by side; `life` and `mount` need root and /dev/fuse, and `mount`, some of
// which measures, runs one file at a time.
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
            "model/crawl.test.ts",
            "golden/*.test.ts",
          ],
          testTimeout: 20_000,
        },
      },
      {
        test: {
          name: "life",
          env,
          include: [lives],
          pool: "forks",
          maxWorkers: 4,
          sequence: { groupOrder: 1 },
          testTimeout: 90_000,
          hookTimeout: 60_000,
        },
      },
      {
        test: {
          name: "mount",
          env,
          exclude: [lives],
          include: [
            "mount/**/*.test.ts",
            "posix/{kernel,native}*.test.ts",
            "semantics/**/*.test.ts",
            "model/mount*.test.ts",
          ],
          pool: "forks",
          fileParallelism: false,
          sequence: { groupOrder: 2 },
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      {
        // machines that boot: wants root, /dev/fuse, systemd-nspawn and mmdebstrap
        test: {
          name: "boot",
          include: ["boot/**/*.test.ts"],
          pool: "forks",
          // they wait more than they work
          maxWorkers: 2,
          testTimeout: 60_000,
          hookTimeout: 300_000,
        },
      },
      {
        // real Synapse: wants root, /dev/fuse, python3 with venv, and versitygw
        test: {
          name: "synapse",
          include: ["synapse/**/*.test.ts"],
          pool: "forks",
          // they wait more than they work
          maxWorkers: 2,
          testTimeout: 120_000,
          // the first may have to install Synapse
          hookTimeout: 400_000,
        },
      },
      {
        // a real dockerd: wants root, /dev/fuse, docker.io, docker-compose and busybox-static
        test: {
          name: "docker",
          include: ["docker/**/*.test.ts"],
          pool: "forks",
          fileParallelism: false,
          testTimeout: 60_000,
          hookTimeout: 120_000,
        },
      },
    ],
  },
});
