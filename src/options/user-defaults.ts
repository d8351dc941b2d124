import { isAbsolute, join } from "node:path";
import type { Environment } from "./environment-options.ts";
import type { OptionName } from "./option-table.ts";

/**
 * Defaults that differ for who is not root, as texts: /var/lib and /var/cache are root's. First what systemd made for a
 * unit, then what XDG's base directories say.
 */
export function userDefaults(environment: Environment): ReadonlyMap<OptionName, string> {
  if (environment.uid === 0) return new Map();
  return new Map([
    ["cache_dir", place(environment, "CACHE_DIRECTORY", "XDG_CACHE_HOME", ".cache")],
    ["state_dir", place(environment, "STATE_DIRECTORY", "XDG_STATE_HOME", ".local/state")],
  ]);
}

function place(
  { variables, homeDirectory = "/" }: Environment,
  ofUnit: string,
  ofUser: string,
  belowHome: string,
): string {
  // more than one are separated by colons
  const unit = variables[ofUnit]?.split(":", 1)[0] ?? "";
  if (isAbsolute(unit)) return unit;
  const user = variables[ofUser] ?? "";
  return join(isAbsolute(user) ? user : join(homeDirectory, belowHome), "pailfs");
}
