// Sets of option values for a purpose. docs/SYNAPSE.md gives the reason of each value.
import type { GivenOption } from "./given-option.ts";

/** What a preset says, as a user would write it. */
type Preset = Readonly<Record<string, string>>;

/** For the media store of Matrix Synapse. */
const synapse: Preset = {
  sharing: "exclusive",
  local_prefix: "url_cache,url_cache_thumbnails",
  publish_delay: "2s",
  delete_delay: "24h",
  stat_cache_ttl: "1h",
  negative_ttl: "1m",
};

/** What only root may ask for. */
const synapseOfRoot: Preset = { allow_other: "yes" };

/** The names that preset=NAME takes. */
export const presetNames = ["synapse"] as const;

/** The options of a preset, weaker than any that someone gave; none for another name. */
export function presetOptions(name: string, isRoot: boolean): GivenOption[] {
  if (name !== "synapse") return [];
  const preset = { ...synapse, ...(isRoot ? synapseOfRoot : {}) };
  return Object.entries(preset).map(([option, value]) => ({
    name: option,
    value,
    origin: "preset",
    spelling: `preset ${name}`,
  }));
}
