// Where credentials come from: a file that was named, a profile, the environment, then AWS's own chain.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { noCredentials, parseIni, readCredentialsFile } from "./credentials-file.ts";
import type { CredentialProvider, Credentials } from "./signing.ts";

export interface CredentialOptions {
  /** The process's environment, or what stands for it. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** For `bucket:KEY:SECRET` lines. */
  readonly bucket: string;
  readonly credentialsFile?: string | undefined;
  readonly profile?: string | undefined;
}

// ask again this long before credentials expire
const renewMs = 5 * 60_000;

interface Loaded {
  readonly credentials: Credentials;
  /** Milliseconds since the epoch. */
  readonly expiresAt: number;
}

/** A provider that remembers what it found until it expires or is refused; concurrent callers share one look-up. */
export function credentialProvider(options: CredentialOptions): CredentialProvider {
  let loaded: Loaded | undefined;
  let loading: Promise<Loaded> | undefined;
  return async ({ refresh } = { refresh: false }) => {
    const fresh = loaded !== undefined && loaded.expiresAt - Date.now() > renewMs;
    if (loaded !== undefined && fresh && !refresh) return loaded.credentials;
    loading ??= load(options).finally(() => (loading = undefined));
    loaded = await loading;
    return loaded.credentials;
  };
}

async function load(options: CredentialOptions): Promise<Loaded> {
  const { environment, bucket, credentialsFile } = options;
  const profile = options.profile ?? environment["AWS_PROFILE"] ?? "default";
  if (credentialsFile !== undefined) {
    return lasting(await readCredentialsFile(credentialsFile, profile, bucket));
  }
  const fromEnvironment = environmentCredentials(environment);
  if (options.profile === undefined && fromEnvironment !== undefined)
    return lasting(fromEnvironment);
  const shared = await sharedFileCredentials(environment, profile);
  return shared === undefined ? awsChain(options.profile) : lasting(shared);
}

/** AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (with AWS_SESSION_TOKEN), or goofys's AWS_ACCESS_KEY and AWS_SECRET_KEY. */
export function environmentCredentials(
  environment: CredentialOptions["environment"],
): Credentials | undefined {
  const accessKeyId = environment["AWS_ACCESS_KEY_ID"] ?? environment["AWS_ACCESS_KEY"];
  const secretAccessKey = environment["AWS_SECRET_ACCESS_KEY"] ?? environment["AWS_SECRET_KEY"];
  if (!accessKeyId || !secretAccessKey) return undefined;
  return {
    accessKeyId,
    secretAccessKey,
    sessionToken: environment["AWS_SESSION_TOKEN"] || undefined,
  };
}

/** Static keys of ~/.aws/credentials: the usual case, without loading the SDK. */
async function sharedFileCredentials(
  environment: CredentialOptions["environment"],
  profile: string,
): Promise<Credentials | undefined> {
  const home = environment["HOME"] ?? "/root";
  const file = environment["AWS_SHARED_CREDENTIALS_FILE"] ?? join(home, ".aws", "credentials");
  // what cannot be read here is the chain's to complain about
  const text = await readFile(file, "utf8").catch(() => "");
  return parseIni(text, profile);
}

/** Roles, SSO, web identity, container and instance metadata; it reads the process's environment itself. */
async function awsChain(profile: string | undefined): Promise<Loaded> {
  try {
    // a hundred modules, needed by few mounts
    const { fromNodeProviderChain } = await import("@aws-sdk/credential-providers");
    const chain = fromNodeProviderChain(profile === undefined ? {} : { profile });
    const { accessKeyId, secretAccessKey, sessionToken, expiration } = await chain();
    const credentials = { accessKeyId, secretAccessKey, sessionToken };
    return { credentials, expiresAt: expiration?.getTime() ?? Infinity };
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw noCredentials(`no S3 credentials found: ${reason}`, cause);
  }
}

function lasting(credentials: Credentials): Loaded {
  return { credentials, expiresAt: Infinity };
}
