// Flags of goofys that pailfs calls otherwise, or has no use for. Those of the same name and meaning are in the table.
import type { OptionName } from "./option-table.ts";

/** What becomes of a goofys flag. */
export type GoofysFlag =
  | {
      /** The option it stands for; `value` replaces what was given, if defined. */
      readonly option: OptionName;
      readonly value?: string;
      /** What an empty value stands for. */
      readonly whenEmpty?: { readonly option: OptionName; readonly value: string };
      /** Told when the flag is used. */
      readonly notice?: string;
      readonly takesValue: boolean;
    }
  /** Accepted without effect, for the reason told. */
  | { readonly ignored: string; readonly takesValue: boolean };

const flag = { takesValue: false } as const;
const valued = { takesValue: true } as const;

/** By canonical name. */
export const goofysFlags: Readonly<Record<string, GoofysFlag>> = {
  f: { option: "foreground", value: "yes", ...flag },
  subdomain: { option: "path_style", value: "no", ...flag },
  use_content_type: { option: "content_type", value: "by-extension", ...flag },
  // goofys: an empty one is the account's own
  sse_kms: {
    option: "sse_kms_key",
    whenEmpty: { option: "sse", value: "aws:kms" },
    ...valued,
  },
  sse_c: {
    option: "sse_customer_key",
    notice:
      "every user of this host can see the key there; sse_customer_key_file keeps it to itself",
    ...valued,
  },
  type_cache_ttl: { ignored: "names and attributes are both kept for stat_cache_ttl", ...valued },
  cheap: { ignored: "lookups cost at most two requests as it is", ...flag },
  no_implicit_dir: { ignored: "directories without a marker are always shown", ...flag },
  cache: { ignored: "the disk cache is always on, see cache_dir and cache_size", ...valued },
  http_timeout: { ignored: "s3_deadline bounds every request", ...valued },
  debug_fuse: { ignored: "set NODE_DEBUG=pailfs:fuse to trace calls", ...flag },
  debug_s3: { ignored: "set NODE_DEBUG=pailfs:s3 to trace requests", ...flag },
};
