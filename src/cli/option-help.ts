import type { Argv } from "yargs";
import { optionNames, optionOf } from "../options/option-table.ts";

/** Puts the option table into a command's help; the options themselves are read by scan-arguments.ts. */
export function describeMountOptions(command: Argv): Argv {
  command
    .positional("source", {
      type: "string",
      describe: "bucket, bucket:prefix or s3://bucket/prefix",
    })
    .positional("mountpoint", { type: "string", describe: "An empty directory" })
    .option("o", {
      type: "string",
      describe: "The same options as fstab has them: a,b=c",
      group: "Mount",
    });
  for (const name of optionNames) {
    const { type, describe, defaultText, group } = optionOf(name);
    const values = type.alone === "yes" ? "" : ` ${type.placeholder}`;
    command.option(name.replaceAll("_", "-"), {
      // yargs shows the type in brackets; ours is told in the text
      describe: `${describe}${values === "" ? "" : `:${values}`} [${defaultText}]`,
      group,
    });
  }
  return command.alias("foreground", "f");
}
