import { pathType, rootNamesType } from "./option-type.ts";
import { option } from "./option.ts";
import { minFreeType, sizeType } from "./quantity-type.ts";

const group = "Cache and state";

/** Options of what is kept on the local disk and in memory. */
export const storageOptions = {
  cache_dir: option({
    group,
    type: pathType,
    default: "/var/cache/pailfs",
    describe:
      "Directory of cached object data; may be deleted while not mounted (not as root: ~/.cache/pailfs)",
  }),
  cache_size: option({
    group,
    type: sizeType({ min: 16 * 2 ** 20, max: 2 ** 50 }),
    default: "10G",
    describe: "Most bytes of cached data, never more than 80 % of the disk",
  }),
  state_dir: option({
    group,
    type: pathType,
    default: "/var/lib/pailfs",
    describe:
      "Directory of data that is not yet in the bucket: never delete it (not as root: ~/.local/state/pailfs)",
  }),
  spool_size: option({
    group,
    type: sizeType({ min: 16 * 2 ** 20, max: 2 ** 50 }),
    default: "20G",
    describe: "Most bytes waiting for their upload; then writers get ENOSPC",
  }),
  local_prefix: option({
    group,
    type: rootNamesType,
    default: "none",
    describe:
      "Directories at the root of the mount that are kept in state_dir only: never uploaded, and no request is made for them",
  }),
  min_free: option({
    group,
    type: minFreeType,
    default: "5%",
    describe: "Room that cache, spool and local_prefix leave free on their disks",
  }),
  memory_limit: option({
    group,
    type: sizeType({ min: 16 * 2 ** 20, max: 2 ** 40 }),
    default: "64M",
    describe: "Most bytes in buffers",
  }),
} as const;
