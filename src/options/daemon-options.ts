import { listenType } from "./listen-type.ts";
import { autoBooleanType, booleanType, choiceType, pathType } from "./option-type.ts";
import { option, optional } from "./option.ts";
import { presetNames } from "./presets.ts";
import { durationType } from "./quantity-type.ts";

/** Options of the mount itself and of the daemon behind it. */
export const daemonOptions = {
  allow_other: option({
    group: "Mount",
    type: booleanType,
    default: "no",
    describe: "Let other users than the one who mounts use the mount",
  }),
  nonempty: option({
    group: "Mount",
    type: booleanType,
    default: "no",
    describe: "Mount over a directory that is not empty",
  }),
  fuse: option({
    group: "Mount",
    type: choiceType(["auto", "kernel", "native"]),
    default: "auto",
    describe:
      "How to talk to the kernel: its own protocol, or the npm package fuse-native (see docs/SEMANTICS.md)",
  }),
  passthrough: option({
    group: "Mount",
    type: autoBooleanType,
    default: "auto",
    describe: "Let the kernel read and write local files itself where it can",
  }),
  foreground: option({
    group: "Mount",
    type: booleanType,
    default: "no",
    describe: "Stay in the foreground and log to standard error (also -f)",
  }),
  config: optional({
    group: "Mount",
    type: pathType,
    defaultText: "none",
    describe: "Configuration file: YAML with the names of this table, and source and mountpoint",
  }),
  preset: option({
    group: "Mount",
    type: choiceType(["none", ...presetNames]),
    default: "none",
    describe:
      "Values that suit a purpose, for options that nobody gave otherwise (synapse: see docs/SYNAPSE.md)",
  }),
  protect_mountpoint: option({
    group: "Mount",
    type: autoBooleanType,
    default: "auto",
    describe:
      "Make the directory below the mount root's, of mode 0555 and immutable, so that nobody writes beside the mount (auto: when mounted by mount(8) or systemd)",
  }),
  umount_wait: option({
    group: "Mount",
    type: durationType({ min: 0, max: 86_400_000 }),
    default: "80s",
    describe: "How long umount(8) waits for uploads; keep it below the time limit of a mount unit",
  }),
  metrics: option({
    group: "Logging",
    type: listenType,
    default: "off",
    describe:
      "Where Prometheus may ask for metrics (/metrics) and health checks for health (/healthz, /readyz): a port of 127.0.0.1, HOST:PORT, or unix:PATH",
  }),
  log_file: optional({
    group: "Logging",
    type: pathType,
    defaultText: "the journal, else syslog",
    describe: "File to log to, opened again on SIGHUP",
  }),
  log_level: option({
    group: "Logging",
    type: choiceType(["error", "warn", "info", "debug", "trace"]),
    default: "info",
    describe: "Least important lines that are logged",
  }),
} as const;
