// Values that are right one by one and impossible together.
import { isBelowOrEqual } from "../posix/path.ts";
import { OptionError } from "./option-error.ts";
import { formatDuration, formatSize } from "./quantity-type.ts";
import type { ResolvedOptions } from "./resolve-options.ts";

/** Throws OptionError at the first conflict, naming both values and the remedy. */
export function checkConflicts({ values }: ResolvedOptions): void {
  if (values.multipart_threshold < values.part_size) {
    throw new OptionError(
      `Cannot use multipart_threshold=${formatSize(values.multipart_threshold)} with part_size=${formatSize(values.part_size)}: ` +
        `want a threshold of at least one part`,
    );
  }
  if (isBelowOrEqual(values.state_dir, values.cache_dir)) {
    throw new OptionError(
      `Cannot use state_dir=${values.state_dir} with cache_dir=${values.cache_dir}: ` +
        `the cache may be deleted at any time, the state must not; keep it elsewhere`,
    );
  }
  if (values.refresh_interval > 0 && values.sharing === "shared") {
    throw new OptionError(
      `Cannot use refresh_interval=${formatDuration(values.refresh_interval)} with sharing=shared: ` +
        `names are asked for again after stat_cache_ttl; leave it out, or mount with sharing=exclusive`,
    );
  }
  if (values.fuse === "native" && values.passthrough === true) {
    throw new OptionError(
      `Cannot use passthrough=yes with fuse=native: libfuse 2 has none; leave it out, or mount with fuse=kernel`,
    );
  }
  if (values.sse === "AES256" && values.sse_kms_key !== undefined) {
    throw new OptionError(
      `Cannot use sse=AES256 with sse_kms_key=${values.sse_kms_key}: leave one of them out`,
    );
  }
}
