import { booleanType, choiceType, integerType, modeType } from "./option-type.ts";
import { option, optional } from "./option.ts";
import { durationType } from "./quantity-type.ts";

const group = "Files";
const year = 365 * 86_400_000;
// -1 (4294967295) means "leave as it is" to chown(2)
const id = integerType({ min: 0, max: 2 ** 32 - 2 });

/** Options of how files and directories look and when they reach the bucket. */
export const fileOptions = {
  uid: optional({
    group,
    type: id,
    defaultText: "the caller's",
    describe: "Owner of files, as a number",
  }),
  gid: optional({
    group,
    type: id,
    defaultText: "the caller's",
    describe: "Group of files, as a number",
  }),
  file_mode: option({ group, type: modeType, default: "0644", describe: "Permissions of files" }),
  dir_mode: option({
    group,
    type: modeType,
    default: "0755",
    describe: "Permissions of directories",
  }),
  umask: option({
    group,
    type: modeType,
    default: "0",
    describe: "Permission bits taken away from file_mode and dir_mode",
  }),
  read_only: option({ group, type: booleanType, default: "no", describe: "Refuse every change" }),
  ack: option({
    group,
    type: choiceType(["disk", "s3"]),
    default: "disk",
    describe: "What close and fsync wait for: the local disk, or the bucket",
  }),
  publish_delay: option({
    group,
    type: durationType({ min: 0, max: 86_400_000 }),
    default: "0s",
    describe:
      "How long a closed file waits before its upload begins; one that is removed or replaced meanwhile costs no request",
  }),
  delete_delay: option({
    group,
    type: durationType({ min: 0, max: year }),
    default: "0",
    describe:
      "How long the object of a removed file stays in the bucket, so that pailfs undelete can bring the file back",
  }),
  delete_burst: option({
    group,
    type: integerType({ min: 0, max: 1e9 }),
    default: "1000",
    describe: "Warn when more files than this are removed within 10 minutes (0: never)",
  }),
  sharing: option({
    group,
    type: choiceType(["shared", "exclusive"]),
    default: "shared",
    describe:
      "Whether others may write below the prefix; exclusive: nobody does, so that names are listed once and then cost no request",
  }),
  refresh_interval: option({
    group,
    type: durationType({ min: 0, max: year }),
    default: "0",
    describe: "How often sharing=exclusive lists the bucket again (0: on SIGHUP and refresh only)",
  }),
  metadata: option({
    group,
    type: choiceType(["index", "object"]),
    default: "index",
    describe:
      "Where modes, owners, times, symlinks and xattrs are kept: in the local index, or in the objects too, as s3fs does",
  }),
  directory_markers: option({
    group,
    type: booleanType,
    default: "no",
    describe: "Write an empty object NAME/ for each new directory",
  }),
  stat_cache_ttl: option({
    group,
    type: durationType({ min: 0, max: year }),
    default: "60s",
    describe: "How long a known name is used without asking the bucket again",
  }),
  negative_ttl: option({
    group,
    type: durationType({ min: 0, max: year }),
    default: "1s",
    describe: "How long a name stays known as absent",
  }),
} as const;
