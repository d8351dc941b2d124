// The commands beside the fast way to `mount`, and all help, with yargs.
import yargs, { type Argv } from "yargs";
import { OptionError } from "../options/option-error.ts";
import { parseDuration } from "../options/quantity-type.ts";
import type { CommandContext } from "./command-context.ts";
import { ExitCode } from "./exit-code.ts";
import { describeMountOptions } from "./option-help.ts";

/** Runs one command; resolves to its exit code, rejects with OptionError or StartError. */
export async function runCommand(
  argv: readonly string[],
  context: CommandContext,
): Promise<number> {
  let code: number = ExitCode.ok;
  const run = (work: () => Promise<number>) => async (): Promise<void> => {
    code = await work();
  };
  let output = "";
  const parser = yargs([...argv])
    .scriptName("pailfs")
    .usage("Usage: $0 [mount] BUCKET[:PREFIX] MOUNTPOINT [options]\n       $0 COMMAND")
    .command(
      "mount <source> <mountpoint>",
      "Mount a bucket, or a prefix of one; return once it answers",
      describeMountOptions,
    );
  addCommands(parser, context, run);
  await parser
    .command("version", "Print the version", {}, () => context.stdout(`${context.version}\n`))
    .version(context.version)
    .alias("help", "h")
    .alias("version", "v")
    .demandCommand(1, 1, "Cannot run: no command given; see pailfs --help")
    .strict()
    .wrap(100)
    .exitProcess(false)
    .fail((message, error) => {
      if (error !== undefined && error !== null) throw error;
      const text = message.startsWith("Not enough non-option")
        ? "Cannot run: the mount point is missing"
        : message.split("\n").join(" ");
      throw new OptionError(`${text}; see pailfs --help`);
    })
    .parseAsync([...argv], {}, (_error, _argv, text) => {
      output = text;
    });
  if (output !== "") context.stdout(`${output}\n`);
  return code;
}

type Run = (work: () => Promise<number>) => () => Promise<void>;

function addCommands(parser: Argv, context: CommandContext, run: Run): void {
  parser.command(
    "umount <mountpoint>",
    "Unmount, and wait until everything is in the bucket",
    (command) =>
      mountpointArgument(command)
        .option("lazy", {
          type: "boolean",
          alias: "l",
          default: false,
          describe: "Detach a mount that is in use, and do not wait",
        })
        .option("timeout", {
          type: "string",
          requiresArg: true,
          describe: "Wait for uploads at most so long (30s, 5m); they go on afterwards",
        }),
    async ({ mountpoint, lazy, timeout }) => {
      const { umountCommand } = await import("./umount-command.ts");
      const timeoutMs = timeoutOf(timeout);
      await run(async () => umountCommand({ mountpoint, lazy, timeoutMs }, context))();
    },
  );
  parser.command(
    "status [mountpoint]",
    "Tell what is mounted, what waits for its upload, and what fails",
    (command) =>
      command
        .positional("mountpoint", { type: "string", describe: "One mount only" })
        .option("json", { type: "boolean", default: false, describe: "Print JSON" }),
    async ({ mountpoint, json }) => {
      const { statusCommand } = await import("./status-command.ts");
      await run(async () => statusCommand(mountpoint, json, context))();
    },
  );
  for (const [verb, describe] of [
    ["flush", "Wait until what was closed before is in the bucket"],
    ["refresh", "Look at the bucket again"],
  ] as const) {
    parser.command(
      `${verb} <mountpoint> [path]`,
      describe,
      (command) =>
        mountpointArgument(command).positional("path", {
          type: "string",
          describe: "Only this path and what is below it",
        }),
      async ({ mountpoint, path }) => {
        const { pathCommand } = await import("./path-commands.ts");
        await run(async () => pathCommand(verb, { mountpoint, path }, context))();
      },
    );
  }
}

function mountpointArgument<T>(command: Argv<T>): Argv<T & { mountpoint: string }> {
  return command.positional("mountpoint", {
    type: "string",
    demandOption: true,
    describe: "Where it is mounted",
  });
}

function timeoutOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const timeout = parseDuration(text);
  if (timeout !== undefined) return timeout;
  throw new OptionError(`Cannot use --timeout=${text}: want a time such as 30s or 5m`);
}
