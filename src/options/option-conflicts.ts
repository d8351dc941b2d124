// Values that are right one by one and impossible together.
import { isBelowOrEqual } from "../posix/path.ts";
import { OptionError } from "./option-error.ts";
import { formatDuration, formatSize } from "./quantity-type.ts";
import type { OptionValues } from "./option-table.ts";
import type { ResolvedOptions } from "./resolve-options.ts";

/** Throws OptionError at the first conflict, naming both values and the remedy. */
export function checkConflicts({ values, given }: ResolvedOptions): void {
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
  // goofys has --sse alone beside --sse-kms: some encryption, and which
  const isAlone = given.get("sse")?.value === undefined;
  if (values.sse !== "aws:kms" && !isAlone && values.sse_kms_key !== undefined) {
    throw new OptionError(
      `Cannot use sse=${values.sse} with sse_kms_key=${values.sse_kms_key}: leave one of them out`,
    );
  }
  checkCustomerKey(values);
}

function checkCustomerKey(values: OptionValues): void {
  const { sse_customer_key: key, sse_customer_key_file: file, sse_kms_key: kmsKey } = values;
  if (key === undefined && file === undefined) return;
  const name = file === undefined ? "sse_customer_key" : `sse_customer_key_file=${file}`;
  if (key !== undefined && file !== undefined) {
    throw new OptionError(`Cannot use sse_customer_key with ${name}: leave one of them out`);
  }
  const other =
    kmsKey !== undefined
      ? `sse_kms_key=${kmsKey}`
      : values.sse !== undefined && values.sse !== "none"
        ? `sse=${values.sse}`
        : undefined;
  if (other !== undefined) {
    throw new OptionError(`Cannot use ${name} with ${other}: an object has one encryption`);
  }
  const url = values.endpoint === undefined ? undefined : new URL(values.endpoint);
  if (url?.protocol === "http:" && !/^(localhost|127\.[\d.]+|\[::1\])$/.test(url.hostname)) {
    throw new OptionError(
      `Cannot use ${name} with endpoint=${values.endpoint}: the key would go over the network in clear; use https`,
    );
  }
}
