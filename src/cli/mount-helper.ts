// mount(8) and umount(8) call these: /sbin/mount.pailfs, mount.fuse.pailfs and umount.fuse.pailfs (see install-helpers.ts).
import { StartError, type FailureKind } from "../daemon/start-error.ts";
import type { GivenOption } from "../options/given-option.ts";
import { OptionError } from "../options/option-error.ts";
import { parseOptionList } from "../options/option-list.ts";
import { type CommandContext, complain } from "./command-context.ts";
import { mountCommand } from "./mount-command.ts";
import { processContext } from "./process-context.ts";
import { umountHelper } from "./umount-helper.ts";

/** The bits of mount(8)'s exit status. */
export const MountExit = {
  ok: 0,
  usage: 1,
  system: 2,
  bug: 4,
  interrupted: 8,
  failed: 32,
} as const;

const exitOf: Readonly<Record<FailureKind, number>> = {
  usage: MountExit.usage,
  configuration: MountExit.failed,
  credentials: MountExit.failed,
  unavailable: MountExit.failed,
  temporary: MountExit.failed,
  runtime: MountExit.failed,
  interrupted: MountExit.interrupted,
};

/** Runs this process as a helper; `program` is the name messages begin with. Never rejects. */
export async function helperMain(kind: "mount" | "umount", program: string): Promise<void> {
  const context = { ...(await processContext()), program };
  process.exitCode = await runHelper(kind, process.argv.slice(2), context);
}

/** Runs one call of mount(8) or umount(8); resolves to the exit status, with what went wrong told in one line. */
export async function runHelper(
  kind: "mount" | "umount",
  argv: readonly string[],
  context: CommandContext,
): Promise<number> {
  try {
    const scanned = scanHelperArguments(argv);
    if (kind === "umount") return await umountHelper(scanned, context);
    return await mountHelper(scanned, context);
  } catch (error) {
    if (error instanceof OptionError || error instanceof StartError) {
      complain(context, error.message, "error");
      return error instanceof OptionError ? MountExit.usage : exitOf[error.kind];
    }
    const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
    complain(context, `this is a bug: ${stack}`, "error");
    return MountExit.bug;
  }
}

/** What mount(8) writes: words, letters without a value, and lists of -o taken apart. */
export interface HelperArguments {
  readonly words: readonly string[];
  readonly letters: ReadonlySet<string>;
  readonly given: readonly GivenOption[];
}

// options of mount(8) and umount(8) that have a value of their own: type and mount namespace
const valued = new Set(["o", "t", "N"]);

/** Takes a helper's arguments apart; letters nobody knows are kept and mean nothing. Throws OptionError. */
export function scanHelperArguments(argv: readonly string[]): HelperArguments {
  const words: string[] = [];
  const letters = new Set<string>();
  const given: GivenOption[] = [];
  for (let index = 0; index < argv.length; index += 1) {
    const argument = argv[index] ?? "";
    if (argument === "--") {
      words.push(...argv.slice(index + 1));
      break;
    }
    if (!argument.startsWith("-") || argument === "-") {
      words.push(argument);
      continue;
    }
    if (argument.startsWith("--")) {
      throw new OptionError(`Unknown option ${argument}: want SOURCE MOUNTPOINT -o OPTIONS`);
    }
    for (let at = 1; at < argument.length; at += 1) {
      const letter = argument.charAt(at);
      if (!valued.has(letter)) {
        letters.add(letter);
        continue;
      }
      const attached = argument.slice(at + 1);
      if (attached === "") index += 1;
      const value = attached === "" ? argv[index] : attached;
      if (value === undefined) throw new OptionError(`Cannot use -${letter} without a value`);
      if (letter === "o") given.push(...parseOptionList(value));
      break;
    }
  }
  return { words, letters, given };
}

async function mountHelper(
  { words, letters, given }: HelperArguments,
  context: CommandContext,
): Promise<number> {
  const [source, mountpoint, ...more] = words;
  if (source === undefined || mountpoint === undefined || more.length > 0) {
    throw new OptionError(`Cannot mount "${words.join(" ")}": want SOURCE MOUNTPOINT -o OPTIONS`);
  }
  if (letters.has("f")) return MountExit.ok;
  await mountCommand({ words, given, isHelper: true, sloppy: letters.has("s") }, context);
  if (letters.has("v")) complain(context, `${source} mounted on ${mountpoint}`);
  return MountExit.ok;
}
