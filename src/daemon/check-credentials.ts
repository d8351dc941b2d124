// Whether there are keys at all, as far as that can be told without asking anyone.
import { access, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { readCustomerKey, wantedKey } from "../options/customer-key.ts";
import type { MountOptions, S3Options } from "../options/mount-options.ts";
import { StartError } from "./start-error.ts";

/** What decides where AWS tools look for keys. */
export interface CredentialsEnvironment {
  readonly variables: Readonly<Record<string, string | undefined>>;
  readonly homeDirectory: string;
  readonly uid: number;
}

/** Rejects with a StartError of kind `credentials` when no keys can be found. Which keys are right, S3 says later. */
export async function checkCredentials(
  options: MountOptions,
  environment: CredentialsEnvironment,
): Promise<void> {
  const { customerKey } = options.s3;
  if (customerKey && "file" in customerKey) {
    await checkFile("sse_customer_key_file", customerKey.file, environment.uid);
    await customerKeyIn(customerKey.file);
  }
  const { file, profile, environmentKeys } = options.s3.credentials;
  if (file !== undefined) return checkFile("credentials_file", file, environment.uid);
  if (environmentKeys !== undefined) return;
  if (profile !== undefined) return checkProfile(profile, environment);
  if (await mayHaveOthers(options, environment)) return;
  throw problem(
    "Cannot find keys for S3: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name a file with --credentials-file",
  );
}

/** The key for SSE-C, if there is to be one, base64 of 32 bytes; rejects as checkCredentials(). */
export async function customerKeyOf({ customerKey }: S3Options): Promise<string | undefined> {
  if (customerKey === undefined) return undefined;
  return "key" in customerKey ? customerKey.key : customerKeyIn(customerKey.file);
}

/** The key in a file, base64 of 32 bytes; rejects with a StartError of kind `credentials`. */
export async function customerKeyIn(path: string): Promise<string> {
  const content = await readFile(path).catch((error: unknown) => {
    throw problem(`Cannot read sse_customer_key_file=${path}: ${(error as Error).message}`, error);
  });
  const key = readCustomerKey(content);
  if (key !== undefined) return key;
  throw problem(
    `Cannot use sse_customer_key_file=${path}: it has ${content.length} bytes; ${wantedKey}`,
  );
}

async function checkFile(option: string, path: string, uid: number): Promise<void> {
  const about = await stat(path).catch((error: unknown) => {
    throw problem(`Cannot read ${option}=${path}: ${(error as Error).message}`, error);
  });
  if (!about.isFile()) throw problem(`Cannot use ${option}=${path}: it is not a file`);
  // a group may read what root gives it, as s3/credentials-file.ts has it
  if ((about.mode & (about.uid === 0 ? 0o137 : 0o177)) !== 0) {
    throw problem(`Cannot use ${option}=${path}: others may read it; run: chmod 600 ${path}`);
  }
  if (about.uid !== 0 && about.uid !== uid) {
    throw problem(
      `Cannot use ${option}=${path}: it belongs to user ${about.uid}; want root or the user who mounts`,
    );
  }
}

async function checkProfile(profile: string, environment: CredentialsEnvironment): Promise<void> {
  const files = configurationFiles(environment);
  const texts = await Promise.all(
    files.map(async (path) => readFile(path, "utf8").catch(() => "")),
  );
  const sections = texts.join("\n").matchAll(/^\s*\[\s*(?:profile\s+)?([^\]]+?)\s*\]/gm);
  if ([...sections].some(([, name]) => name?.replaceAll(/["']/g, "") === profile)) return;
  throw problem(`Cannot find profile "${profile}" in ${files.join(" or ")}`);
}

async function mayHaveOthers(
  options: MountOptions,
  environment: CredentialsEnvironment,
): Promise<boolean> {
  const chain = [
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
  ];
  if (chain.some((name) => (environment.variables[name] ?? "") !== "")) return true;
  const { endpoint } = options.s3;
  // a machine of AWS may have a role; whoever names another service has keys for that service
  if (endpoint === undefined || endpoint.includes(".amazonaws.com")) return true;
  const found = await Promise.all(configurationFiles(environment).map(exists));
  return found.includes(true);
}

function configurationFiles({ variables, homeDirectory }: CredentialsEnvironment): string[] {
  return [
    variables["AWS_SHARED_CREDENTIALS_FILE"] ?? join(homeDirectory, ".aws/credentials"),
    variables["AWS_CONFIG_FILE"] ?? join(homeDirectory, ".aws/config"),
  ];
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

function problem(message: string, cause?: unknown): StartError {
  return new StartError("credentials", message, { cause });
}
