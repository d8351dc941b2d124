// The shape of one entry of the option table.
import type { OptionType } from "./option-type.ts";

/** Headings of help and documentation, in order. */
export const optionGroups = ["S3", "Cache and state", "Files", "Mount", "Logging"] as const;

export type OptionGroup = (typeof optionGroups)[number];

/** One option; D is undefined where nothing stands in for a value that was not given. */
export interface Option<T, D extends T | undefined = T | undefined> {
  readonly type: OptionType<T>;
  readonly default: D;
  /** How the default is told; needed where it is not a plain text of `default`. */
  readonly defaultText: string;
  /** One sentence without a full stop. */
  readonly describe: string;
  readonly group: OptionGroup;
}

/** The value of an option after defaults. */
export type OptionValue<O> =
  O extends Option<infer T, infer D> ? (undefined extends D ? T | undefined : T) : never;

/** An option with a default that is always there. */
export function option<T>(fields: {
  type: OptionType<T>;
  default: string;
  describe: string;
  group: OptionGroup;
}): Option<T, T> {
  // the default is written as a user would, so that help, documentation and value cannot differ
  return {
    ...fields,
    default: fields.type.parse(fields.default, "/"),
    defaultText: fields.default,
  };
}

/** An option that is undefined when not given; `defaultText` says what happens then. */
export function optional<T>(fields: {
  type: OptionType<T>;
  defaultText: string;
  describe: string;
  group: OptionGroup;
}): Option<T, undefined> {
  return { ...fields, default: undefined };
}
