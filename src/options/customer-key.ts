// Keys for server-side encryption (SSE-C), in the forms that other tools take them: goofys wants base64, Amazon's SDK for
// Python (and so synapse-s3-storage-provider) the 32 bytes themselves.
import { OptionError } from "./option-error.ts";
import type { OptionType } from "./option-type.ts";

const KEY_BYTES = 32;

/** The key as base64 of its 32 bytes, from those bytes or from base64, blanks around it ignored; undefined for anything else. */
export function readCustomerKey(content: Buffer): string | undefined {
  if (content.length === KEY_BYTES) return content.toString("base64");
  const text = content.toString("latin1").trim();
  if (text.length === KEY_BYTES) return Buffer.from(text, "latin1").toString("base64");
  const bytes = Buffer.from(text, "base64");
  return bytes.length === KEY_BYTES && bytes.toString("base64") === text ? text : undefined;
}

/** What is wanted where readCustomerKey() finds no key. */
export const wantedKey = "want 32 bytes, or base64 of 32 bytes";

/** A key; its value is never told. */
export const customerKeyType: OptionType<string> = {
  placeholder: "KEY",
  alone: undefined,
  isSecret: true,
  parse: (text) => {
    const key = readCustomerKey(Buffer.from(text));
    if (key === undefined) throw new OptionError(wantedKey);
    return key;
  },
};
