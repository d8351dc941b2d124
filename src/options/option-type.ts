// What values an option takes. A parser throws OptionError with what is wanted ("want a size such as 512M").
import { isAbsolute, resolve } from "node:path";
import { NAME_MAX } from "../posix/path.ts";
import { OptionError } from "./option-error.ts";

/** How one kind of value is read; `placeholder` stands for it in help and documentation. */
export interface OptionType<T> {
  readonly placeholder: string;
  /** The value the option has when it stands alone; undefined where one must be given. "yes" gives it a `no-` form too. */
  readonly alone: string | undefined;
  /** Of an option that may stand alone: whether the word after it is its value (`--passthrough off`). */
  readonly isWord?: (text: string) => boolean;
  /** Whether the value must not be told to anyone, nor written where others see it. */
  readonly isSecret?: boolean;
  /** Throws OptionError saying what is wanted; `directory` is what relative paths are relative to. */
  parse(text: string, directory: string): T;
}

// not 1 and 0: a mount point may be called so
const booleanWord = /^(true|yes|on|false|no|off)$/i;

export const booleanType: OptionType<boolean> = {
  placeholder: "BOOL",
  alone: "yes",
  isWord: (text) => booleanWord.test(text),
  parse: (text) => {
    if (/^(true|yes|on|1)$/i.test(text)) return true;
    if (/^(false|no|off|0)$/i.test(text)) return false;
    throw new OptionError("want yes or no");
  },
};

/** Any text but the empty one. */
export const textType: OptionType<string> = {
  placeholder: "TEXT",
  alone: undefined,
  parse: (text) => {
    if (text === "") throw new OptionError("want a value that is not empty");
    if (/[\0\r\n]/.test(text)) throw new OptionError("want a value without line breaks");
    return text;
  },
};

/** A path, made absolute. */
export const pathType: OptionType<string> = {
  placeholder: "PATH",
  alone: undefined,
  parse: (text, directory) => {
    const path = textType.parse(text, directory);
    return isAbsolute(path) ? resolve(path) : resolve(directory, path);
  },
};

/** One of some words. */
export function choiceType<const T extends string>(words: readonly T[]): OptionType<T> {
  return {
    placeholder: words.join("|"),
    alone: undefined,
    isWord: (text) => words.some((word) => word.toLowerCase() === text.toLowerCase()),
    parse: (text) => {
      const word = words.find((candidate) => candidate.toLowerCase() === text.toLowerCase());
      if (word === undefined) throw new OptionError(`want ${orList(words)}`);
      return word;
    },
  };
}

/** Yes, no, or `auto`. */
export const autoBooleanType: OptionType<boolean | "auto"> = {
  placeholder: "auto|BOOL",
  alone: "yes",
  isWord: (text) => text.toLowerCase() === "auto" || booleanWord.test(text),
  parse: (text, directory) => {
    if (text.toLowerCase() === "auto") return "auto";
    try {
      return booleanType.parse(text, directory);
    } catch (error) {
      throw new OptionError("want auto, yes or no", { cause: error });
    }
  },
};

/** A whole number in decimal within [min, max]. */
export function integerType(range: { min: number; max: number }): OptionType<number> {
  return {
    placeholder: "N",
    alone: undefined,
    parse: (text) => {
      const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
      if (!(value >= range.min && value <= range.max)) {
        throw new OptionError(`want a whole number from ${range.min} to ${range.max}`);
      }
      return value;
    },
  };
}

/** Permission bits in octal, with or without a leading 0. */
export const modeType: OptionType<number> = {
  placeholder: "MODE",
  alone: undefined,
  parse: (text) => {
    if (!/^(0o)?[0-7]{1,4}$/.test(text)) {
      throw new OptionError("want permission bits in octal such as 0750");
    }
    return Number.parseInt(text.replace("0o", ""), 8);
  },
};

/** The base URL of an S3 service. */
export const endpointType: OptionType<string> = {
  placeholder: "URL",
  alone: undefined,
  parse: (text) => {
    const url = URL.canParse(text) ? new URL(text) : undefined;
    if (url === undefined || !/^https?:$/.test(url.protocol)) {
      throw new OptionError("want a URL such as https://s3.example.org");
    }
    if (url.username !== "" || url.password !== "") {
      throw new OptionError("want a URL without a user name: give keys by environment or file");
    }
    if (url.pathname !== "/" || url.search !== "" || url.hash !== "") {
      throw new OptionError("want a URL without a path: the bucket goes before the mount point");
    }
    return url.origin;
  },
};

/** Names of directories at the root of the mount, or `none`. */
export const rootNamesType: OptionType<readonly string[]> = {
  placeholder: "NAME,...",
  alone: undefined,
  parse: (text) => {
    if (text.toLowerCase() === "none") return [];
    const names = text.split(",").map((name) => name.trim().replace(/^\/|\/+$/g, ""));
    for (const name of names) {
      const isPlain = name !== "" && name !== "." && name !== ".." && !/[/\0\r\n]/.test(name);
      if (isPlain && Buffer.byteLength(name) <= NAME_MAX) continue;
      throw new OptionError(
        `want names of directories at the root of the mount, such as url_cache,url_cache_thumbnails, or none; not "${name}"`,
      );
    }
    return [...new Set(names)];
  },
};

function orList(words: readonly string[]): string {
  return words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} or ${words.at(-1)}`;
}
