// The commands beside the fast way to `mount`, and all help, with yargs.
import { resolve } from "node:path";
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
  parser.command(
    "config [source] [mountpoint]",
    "Print the options a mount would have, and where each comes from",
    (command) =>
      describeMountOptions(command).option("json", { type: "boolean", describe: "Print JSON" }),
  );
  addHelperCommands(parser, context, run);
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
    "umount [mountpoint]",
    "Unmount, and wait until everything is in the bucket",
    (command) =>
      command
        .positional("mountpoint", { type: "string", describe: "Where it is mounted" })
        .option("config", {
          type: "string",
          requiresArg: true,
          describe: "Configuration file that says where it is mounted",
        })
        .option("stale-only", {
          type: "boolean",
          default: false,
          describe: "Only remove a mount whose daemon died",
        })
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
    async ({ mountpoint: word, config, lazy, timeout, staleOnly }) => {
      const { removeDead, umountCommand } = await import("./umount-command.ts");
      const timeoutMs = durationOf("timeout", timeout);
      const mountpoint = word ?? (await mountpointOfConfig(config, context));
      if (staleOnly) await run(async () => removeDead(mountpoint, context))();
      else await run(async () => umountCommand({ mountpoint, lazy, timeoutMs }, context))();
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
  addQueueCommand(parser, context, run);
  addPathCommands(parser, context, run);
  addUndeleteCommand(parser, context, run);
}

function addPathCommands(parser: Argv, context: CommandContext, run: Run): void {
  const only = "Only this path and what is below it";
  parser.command(
    "flush <mountpoint> [paths..]",
    "Wait until what was closed before is in the bucket",
    (command) =>
      mountpointArgument(command)
        .positional("paths", { type: "string", array: true, describe: only })
        .option("deletes", {
          type: "boolean",
          default: false,
          describe: "Delete at once what waits for the end of delete_delay, for good",
        }),
    async ({ mountpoint, paths = [], deletes }) => {
      const { pathCommand } = await import("./path-commands.ts");
      const { deleteNow } = await import("./undelete-command.ts");
      await run(async () => {
        for (const path of paths.length === 0 ? [undefined] : paths) {
          await pathCommand("flush", { mountpoint, path }, context);
        }
        return deletes ? deleteNow({ mountpoint, paths }, context) : ExitCode.ok;
      })();
    },
  );
  parser.command(
    "refresh <mountpoint> [path]",
    "Look at the bucket again",
    (command) => mountpointArgument(command).positional("path", { type: "string", describe: only }),
    async ({ mountpoint, path }) => {
      const { pathCommand } = await import("./path-commands.ts");
      await run(async () => pathCommand("refresh", { mountpoint, path }, context))();
    },
  );
}

function addUndeleteCommand(parser: Argv, context: CommandContext, run: Run): void {
  parser.command(
    "undelete <mountpoint> [paths..]",
    "Bring back removed files whose objects are still there (see delete_delay)",
    (command) =>
      mountpointArgument(command)
        .positional("paths", {
          type: "string",
          array: true,
          describe: "These paths and what was below them",
        })
        .option("all", { type: "boolean", default: false, describe: "Everything" })
        .option("list", { type: "boolean", default: false, describe: "Only show what there is" })
        .option("since", {
          type: "string",
          requiresArg: true,
          describe: "Only what was removed so long ago at most (10m, 12h)",
        })
        .option("json", { type: "boolean", default: false, describe: "With --list: print JSON" }),
    async ({ mountpoint, paths = [], all, list, since, json }) => {
      const { undeleteCommand } = await import("./undelete-command.ts");
      const sinceMs = durationOf("since", since);
      const wish = { mountpoint, paths, all, list, json, sinceMs };
      await run(async () => undeleteCommand(wish, context))();
    },
  );
}

function addHelperCommands(parser: Argv, context: CommandContext, run: Run): void {
  const prefixed = <T>(command: Argv<T>) =>
    command.option("prefix", {
      type: "string",
      requiresArg: true,
      default: "/",
      describe: "Root of the file system to write to",
    });
  parser.command(
    "install-helpers",
    "Write what mount(8), umount(8) and systemd look for: /sbin/mount.pailfs and others",
    (command) =>
      prefixed(command)
        .option("systemd", {
          type: "boolean",
          default: false,
          describe: "The unit pailfs@.service too",
        })
        .option("goofys", {
          type: "boolean",
          default: false,
          describe: "The command goofys too, for lines of fstab such as goofys#bucket",
        })
        .option("docker", {
          type: "boolean",
          default: false,
          describe: "The volume plugin of Docker too, with its units",
        }),
    async ({ prefix, systemd, goofys, docker }) => {
      const { installHelpers } = await import("./install-helpers.ts");
      const root = resolve(context.environment.directory, prefix);
      await run(async () => installHelpers({ prefix: root, systemd, goofys, docker }, context))();
    },
  );
  parser.command(
    "uninstall-helpers",
    "Remove what install-helpers wrote",
    prefixed,
    async ({ prefix }) => {
      const { uninstallHelpers } = await import("./install-helpers.ts");
      const root = resolve(context.environment.directory, prefix);
      await run(async () => uninstallHelpers(root, context))();
    },
  );
}

function addQueueCommand(parser: Argv, context: CommandContext, run: Run): void {
  parser.command(
    "queue <mountpoint> [action] [items..]",
    "Show what is stuck on its way to the bucket; retry, export or discard it",
    (command) =>
      mountpointArgument(command)
        .positional("action", {
          type: "string",
          describe: "retry [ID..], export DIRECTORY [ID..], discard ID..; without one: list",
        })
        .positional("items", { type: "string", array: true, describe: "Ids as listed" })
        .option("all", {
          type: "boolean",
          default: false,
          describe: "List also what is in no trouble",
        })
        .option("lose-data", {
          type: "boolean",
          default: false,
          describe: "discard: yes, these bytes are to be gone for good",
        })
        .option("json", { type: "boolean", default: false, describe: "Print JSON" }),
    async ({ mountpoint, action, items, all, json, loseData }) => {
      const { queueCommand } = await import("./queue-command.ts");
      const wish = { mountpoint, action, items: items ?? [], all, json, loseData };
      await run(async () => queueCommand(wish, context))();
    },
  );
}

function mountpointArgument<T>(command: Argv<T>): Argv<T & { mountpoint: string }> {
  return command.positional("mountpoint", {
    type: "string",
    demandOption: true,
    describe: "Where it is mounted",
  });
}

async function mountpointOfConfig(
  config: string | undefined,
  { environment }: CommandContext,
): Promise<string> {
  const { readConfigFile } = await import("../options/config-file.ts");
  const file = config === undefined ? undefined : resolve(environment.directory, config);
  const mountpoint = file === undefined ? undefined : (await readConfigFile(file)).mountpoint;
  if (mountpoint !== undefined) return mountpoint;
  const where = file === undefined ? "" : ` in ${file}`;
  throw new OptionError(`Cannot run: the mount point is missing${where}; see pailfs --help`);
}

function durationOf(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const duration = parseDuration(text);
  if (duration !== undefined) return duration;
  throw new OptionError(`Cannot use --${name}=${text}: want a time such as 30s or 5m`);
}
