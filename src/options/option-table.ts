// THE option table: names as in fstab and configuration (cache_dir); the command line writes them --cache-dir.
import { daemonOptions } from "./daemon-options.ts";
import { fileOptions } from "./file-options.ts";
import type { Option, OptionValue } from "./option.ts";
import { s3Options } from "./s3-options.ts";
import { storageOptions } from "./storage-options.ts";

export const optionTable = {
  ...s3Options,
  ...storageOptions,
  ...fileOptions,
  ...daemonOptions,
} as const;

export type OptionName = keyof typeof optionTable;

/** Every option's value, by name. */
export type OptionValues = { readonly [N in OptionName]: OptionValue<(typeof optionTable)[N]> };

/** The names in table order. */
export const optionNames = Object.keys(optionTable) as readonly OptionName[];

/** The table seen without the types of the values. */
export function optionOf(name: OptionName): Option<unknown> {
  return optionTable[name];
}

/** The option meant by any spelling (`cache-dir`, `cache_dir`, `--cache-dir`), if there is one. */
export function findOption(spelling: string): OptionName | undefined {
  const name = canonicalName(spelling);
  return Object.hasOwn(optionTable, name) ? (name as OptionName) : undefined;
}

/** A spelling without leading dashes and with underscores. */
export function canonicalName(spelling: string): string {
  return spelling.replace(/^--?/, "").replaceAll("-", "_");
}
