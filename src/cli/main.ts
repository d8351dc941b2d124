// The command line: the only place that reads argv and environment, and that sets the exit code.
import { StartError } from "../daemon/start-error.ts";
import { OptionError } from "../options/option-error.ts";
import { type CommandContext, complain } from "./command-context.ts";
import { commandNames } from "./command-names.ts";
import { ExitCode } from "./exit-code.ts";
import { processContext } from "./process-context.ts";
import { scanArguments } from "./scan-arguments.ts";

/** Runs the command line of this process; never rejects. */
export async function main(): Promise<void> {
  const context = await processContext();
  process.exitCode = await runCli(process.argv.slice(2), context);
}

/** Runs one command line; resolves to the exit code, with what went wrong told in one line. */
export async function runCli(argv: readonly string[], context: CommandContext): Promise<number> {
  try {
    return await route(argv, context);
  } catch (error) {
    if (error instanceof StartError || error instanceof OptionError) {
      complain(context, error.message, "error");
      return ExitCode[error.kind];
    }
    const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
    complain(context, `this is a bug: ${stack}`, "error");
    return ExitCode.runtime;
  }
}

async function route(argv: readonly string[], context: CommandContext): Promise<number> {
  if (argv[0] === "daemon-child") {
    const { runDaemonChild } = await import("../daemon/daemon-child.ts");
    return (await runDaemonChild()) ? ExitCode.ok : ExitCode.runtime;
  }
  const scanned = scanArguments(argv);
  const [first] = scanned.words;
  // these two take the options of the table, which yargs only tells of
  const isMount = first === undefined || /^(mount|config)$/.test(first) || !isCommand(first);
  const wantsHelp = scanned.given.some(({ name }) => /^(h|help|v|version)$/.test(name));
  if (argv.length === 0 || wantsHelp || !isMount) {
    // loaded only now: yargs costs more time than all the checks of a mount
    const { runCommand } = await import("./commands.ts");
    const code = await runCommand(helpArguments(argv, first, wantsHelp), context);
    return argv.length === 0 ? ExitCode.usage : code;
  }
  if (first === "config") {
    const { configCommand } = await import("./config-command.ts");
    const isJson = ({ name }: { name: string }): boolean => name === "json";
    const given = scanned.given.filter((option) => !isJson(option));
    return configCommand(scanned.words.slice(1), given, scanned.given.some(isJson), context);
  }
  const { mountCommand } = await import("./mount-command.ts");
  const words = first === "mount" ? scanned.words.slice(1) : scanned.words;
  return mountCommand({ ...scanned, words }, context);
}

function helpArguments(
  argv: readonly string[],
  first: string | undefined,
  wantsHelp: boolean,
): readonly string[] {
  if (first === "help" || argv.length === 0) return ["--help"];
  const wantsVersion = argv.some((argument) => /^--?v(ersion)?$/.test(argument));
  if (!wantsHelp) return argv;
  if (wantsVersion) return ["--version"];
  return first !== undefined && isCommand(first) ? [first, "--help"] : ["--help"];
}

function isCommand(word: string): boolean {
  return (commandNames as readonly string[]).includes(word);
}
