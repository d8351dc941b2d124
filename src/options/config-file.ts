// /etc/pailfs/NAME.yaml: the names of the option table, and what is mounted where.
import { readFile } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import type { GivenOption } from "./given-option.ts";
import { OptionError } from "./option-error.ts";
import { canonicalName, findOption } from "./option-table.ts";

export interface ConfigFile {
  readonly source: string | undefined;
  /** Absolute. */
  readonly mountpoint: string | undefined;
  readonly given: readonly GivenOption[];
}

// secrets stay out of a file that people show each other
const secrets = /^(aws_)?(access_key(_id)?|secret(_access)?_key|session_token)$/;

/** Reads a configuration file; rejects with OptionError naming the file and the line or key. */
export async function readConfigFile(path: string): Promise<ConfigFile> {
  const text = await readFile(path, "utf8").catch((error: unknown) => {
    throw problem(`Cannot read config=${path}: ${(error as Error).message}`, error);
  });
  return parseConfig(path, text);
}

/** As readConfigFile(), of a text already read. */
export async function parseConfig(path: string, text: string): Promise<ConfigFile> {
  // 50 ms that only mounts with a configuration pay
  const { parseDocument } = await import("yaml");
  // failsafe: values stay the texts that were written; as numbers 0644 would be 644
  const document = parseDocument(text, { schema: "failsafe" });
  const [error] = document.errors;
  if (error !== undefined) {
    const reason = error.message.split("\n")[0]?.replace(/:$/, "") ?? "no YAML";
    throw problem(`Cannot read config=${path}: ${reason}`, error);
  }
  const content: unknown = document.toJS() ?? {};
  if (typeof content !== "object" || content === null || Array.isArray(content)) {
    throw problem(`Cannot read config=${path}: want lines such as cache_size: 10G`);
  }
  const entries = Object.entries(content).map(([key, value]) => entry(path, key, value));
  const valueOf = (name: string): string | undefined =>
    entries.find((given) => canonicalName(given.name) === name)?.value;
  const mountpoint = valueOf("mountpoint");
  return {
    source: valueOf("source"),
    mountpoint: mountpoint === undefined ? undefined : resolve(dirname(path), mountpoint),
    given: entries.filter(({ name }) => !/^(source|mountpoint)$/.test(canonicalName(name))),
  };
}

function entry(path: string, key: string, value: unknown): GivenOption & { value: string } {
  const name = canonicalName(key);
  const spelling = `${key} in ${path}`;
  if (secrets.test(name)) {
    throw problem(
      `Cannot use ${spelling}: secrets do not belong here; put KEY:SECRET into a file of mode 0600 and name it with credentials_file`,
    );
  }
  // a file that names another would have to say whose values win
  if (findOption(name) === "config") throw problem(`Cannot use ${spelling}: files do not nest`);
  if (typeof value !== "string" || value === "") {
    throw problem(`Cannot use ${spelling}: want one value, as in ${key}: VALUE`);
  }
  return { name: key, value, origin: "config file", spelling, directory: dirname(path) };
}

function problem(message: string, cause?: unknown): OptionError {
  return new OptionError(message, { cause, kind: "configuration" });
}
