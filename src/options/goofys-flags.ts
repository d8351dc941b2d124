// Flags of goofys that pailfs calls otherwise, or has no use for. Those of the same name and meaning are in the table.
import type { OptionName } from "./option-table.ts";

/** What becomes of a goofys flag. */
export type GoofysFlag =
  | {
      /** The option it stands for; `value` replaces what was given, if defined. */
      readonly option: OptionName;
      readonly value?: string;
      readonly takesValue: boolean;
    }
  /** Accepted without effect, for the reason told. */
  | { readonly ignored: string; readonly takesValue: boolean }
  /** Cannot be done without: refused, for the reason told. */
  | { readonly refused: string; readonly takesValue: boolean };

const flag = { takesValue: false } as const;
const valued = { takesValue: true } as const;

/** By canonical name. */
export const goofysFlags: Readonly<Record<string, GoofysFlag>> = {
  f: { option: "foreground", value: "yes", ...flag },
  subdomain: { option: "path_style", value: "no", ...flag },
  use_content_type: { option: "content_type", value: "by-extension", ...flag },
  sse_kms: { option: "sse_kms_key", ...valued },
  sse_c: { refused: "customer keys (SSE-C) are not supported yet", ...valued },
  requester_pays: { refused: "requester-pays buckets are not supported yet", ...flag },
  type_cache_ttl: { ignored: "names and attributes are both kept for stat_cache_ttl", ...valued },
  cheap: { ignored: "lookups cost at most two requests as it is", ...flag },
  no_implicit_dir: { ignored: "directories without a marker are always shown", ...flag },
  cache: { ignored: "the disk cache is always on, see cache_dir and cache_size", ...valued },
  http_timeout: { ignored: "s3_deadline bounds every request", ...valued },
  debug_fuse: { ignored: "set NODE_DEBUG=pailfs:fuse to trace calls", ...flag },
  debug_s3: { ignored: "set NODE_DEBUG=pailfs:s3 to trace requests", ...flag },
};
