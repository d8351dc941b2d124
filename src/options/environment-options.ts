// What environment variables say: PAILFS_<OPTION>, and those of AWS that stand for an option.
import type { GivenOption } from "./given-option.ts";
import type { StaticKeys } from "./mount-options.ts";
import { OptionError } from "./option-error.ts";
import { type OptionName, optionNames } from "./option-table.ts";

/** What parsing needs to know of the process that was called. */
export interface Environment {
  readonly variables: Readonly<Record<string, string | undefined>>;
  readonly uid: number;
  readonly gid: number;
  /** Relative paths are relative to it. */
  readonly directory: string;
  /** Of the user; "/" unless said otherwise. */
  readonly homeDirectory?: string;
  /** Whether it was called by goofys's name, and so with what goofys means by a prefix. */
  readonly isGoofys?: boolean;
}

// first set variable of a row wins, as in AWS's own tools
const awsVariables: readonly (readonly [OptionName, readonly string[]])[] = [
  ["region", ["AWS_REGION", "AWS_DEFAULT_REGION"]],
  ["endpoint", ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"]],
  ["profile", ["AWS_PROFILE"]],
];

/** Options given by environment variables, weakest first. Empty variables count as unset. */
export function environmentOptions(variables: Environment["variables"]): GivenOption[] {
  const own = optionNames.map((name) => [name, `PAILFS_${name.toUpperCase()}`] as const);
  const aws = awsVariables.flatMap(([name, row]) => {
    const variable = row.find((candidate) => isSet(variables[candidate]));
    return variable === undefined ? [] : [[name, variable] as const];
  });
  return [...aws, ...own]
    .filter(([, variable]) => isSet(variables[variable]))
    .map(([name, variable]) => ({
      name,
      value: variables[variable],
      origin: "environment",
      spelling: variable,
    }));
}

/** The key pair in the environment, by AWS's names or by those goofys installations use; throws OptionError on half a pair. */
export function environmentKeys(variables: Environment["variables"]): StaticKeys | undefined {
  const accessKeyId = firstSet(variables, ["AWS_ACCESS_KEY_ID", "AWS_ACCESS_KEY"]);
  const secretAccessKey = firstSet(variables, ["AWS_SECRET_ACCESS_KEY", "AWS_SECRET_KEY"]);
  if (accessKeyId === undefined && secretAccessKey === undefined) return undefined;
  if (accessKeyId === undefined || secretAccessKey === undefined) {
    const missing = accessKeyId === undefined ? "AWS_ACCESS_KEY_ID" : "AWS_SECRET_ACCESS_KEY";
    throw new OptionError(`Cannot use half a key pair: set ${missing} in the environment too`, {
      kind: "credentials",
    });
  }
  return { accessKeyId, secretAccessKey, sessionToken: firstSet(variables, ["AWS_SESSION_TOKEN"]) };
}

function firstSet(
  variables: Environment["variables"],
  names: readonly string[],
): string | undefined {
  const name = names.find((candidate) => isSet(variables[candidate]));
  return name === undefined ? undefined : variables[name];
}

function isSet(value: string | undefined): boolean {
  return value !== undefined && value !== "";
}
