// An option as someone wrote it, before its name and value were looked at.

/** Where an option was written, weakest first. */
export const optionOrigins = [
  "preset",
  "config file",
  "environment",
  "option list",
  "command line",
] as const;

export type OptionOrigin = (typeof optionOrigins)[number];

export interface GivenOption {
  /** In any spelling, leading dashes allowed. */
  readonly name: string;
  /** Undefined when the option stood alone. */
  readonly value: string | undefined;
  readonly origin: OptionOrigin;
  /** How to call it when talking to the user: `--cache-dir`, `-o cache_dir`, `PAILFS_CACHE_DIR`. */
  readonly spelling: string;
  /** What a relative path is relative to, where it is not the working directory. */
  readonly directory?: string;
}

/** An option of the command line; `name` without dashes. */
export function commandLineOption(name: string, value: string | undefined): GivenOption {
  return { name, value, origin: "command line", spelling: `--${name}` };
}
