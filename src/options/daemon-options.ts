import { autoBooleanType, booleanType, choiceType, pathType } from "./option-type.ts";
import { option, optional } from "./option.ts";

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
    type: choiceType(["auto", "kernel"]),
    default: "auto",
    describe: "How to talk to the kernel",
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
