// Lists of options as mount(8) passes them: `-o a,b=c,d="e,f",g=h\,i`.
import type { GivenOption } from "./given-option.ts";
import { OptionError } from "./option-error.ts";

/** Takes a list apart; throws OptionError on an unfinished quotation. Dashes before names (goofys in fstab) are dropped. */
export function parseOptionList(list: string): GivenOption[] {
  return splitList(list)
    .filter((item) => item !== "")
    .map((item) => {
      const equals = item.indexOf("=");
      const name = (equals < 0 ? item : item.slice(0, equals)).trim().replace(/^--?/, "");
      const value = equals < 0 ? undefined : item.slice(equals + 1);
      return { name, value, origin: "option list", spelling: `-o ${name}` };
    });
}

// libmount hands quotes on to the helper as they are; mount-s3 knows "\,": both are understood
function splitList(list: string): string[] {
  const items = [""];
  let quoted = false;
  for (let index = 0; index < list.length; index += 1) {
    const letter = list.charAt(index);
    const next = list.charAt(index + 1);
    if (letter === "\\" && (next === "," || next === "\\" || next === '"')) {
      items.push(`${items.pop()}${next}`);
      index += 1;
    } else if (letter === '"') {
      quoted = !quoted;
    } else if (letter === "," && !quoted) {
      items.push("");
    } else {
      items.push(`${items.pop()}${letter}`);
    }
  }
  if (quoted) throw new OptionError(`Cannot read -o ${list}: a quotation mark is missing`);
  return items;
}
