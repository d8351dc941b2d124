// Credentials in files: AWS's INI form, and s3fs's KEY:SECRET.
import { readFile, stat } from "node:fs/promises";
import { S3Failure } from "./s3-failure.ts";
import type { Credentials } from "./signing.ts";

/**
 * Reads `file` for `bucket`: INI (section `profile`), or lines KEY:SECRET and bucket:KEY:SECRET. Rejects a file that
 * others may read, as s3fs does, and one that holds no credentials.
 */
export async function readCredentialsFile(
  file: string,
  profile: string,
  bucket: string,
): Promise<Credentials> {
  const text = await readPrivateFile(file);
  const credentials = /^\s*\[/m.test(text) ? parseIni(text, profile) : parseLines(text, bucket);
  if (credentials !== undefined) return credentials;
  const wanted = `a [${profile}] section with aws_access_key_id and aws_secret_access_key, or KEY:SECRET`;
  throw noCredentials(`"${file}" holds no credentials: want ${wanted}`);
}

async function readPrivateFile(file: string): Promise<string> {
  try {
    const { mode, uid } = await stat(file);
    // a group may read what root gives it
    const forbidden = uid === 0 ? 0o037 : 0o077;
    if ((mode & forbidden) !== 0) {
      const octal = (mode & 0o777).toString(8).padStart(4, "0");
      throw noCredentials(`"${file}" has mode ${octal}: want 0600 (chmod 600)`);
    }
    return await readFile(file, "utf8");
  } catch (error) {
    if (error instanceof S3Failure) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw noCredentials(`cannot read credentials: ${reason}`);
  }
}

/** The section `[profile]` of an INI file; undefined when it lacks a static key. */
export function parseIni(text: string, profile: string): Credentials | undefined {
  let section = "";
  const values = new Map<string, string>();
  for (const line of text.split(/\r?\n/)) {
    const head = /^\s*\[\s*(?:profile\s+)?([^\]]*?)\s*\]/.exec(line)?.[1];
    if (head !== undefined) section = head;
    const entry = /^\s*([a-z_0-9]+)\s*=\s*(.*?)\s*$/i.exec(line);
    const [, name = "", value = ""] = entry ?? [];
    if (section === profile && entry !== null) values.set(name.toLowerCase(), value);
  }
  const accessKeyId = values.get("aws_access_key_id");
  const secretAccessKey = values.get("aws_secret_access_key");
  if (accessKeyId === undefined || secretAccessKey === undefined) return undefined;
  return { accessKeyId, secretAccessKey, sessionToken: values.get("aws_session_token") };
}

function parseLines(text: string, bucket: string): Credentials | undefined {
  const lines = text.split(/\r?\n/).map((line) => line.trim());
  const fields = lines.filter((l) => l !== "" && !l.startsWith("#")).map((line) => line.split(":"));
  const [accessKeyId, secretAccessKey] =
    fields.find((line) => line.length === 3 && line[0] === bucket)?.slice(1) ??
    fields.find((line) => line.length === 2) ??
    [];
  if (accessKeyId === undefined || secretAccessKey === undefined) return undefined;
  return { accessKeyId, secretAccessKey };
}

/** The failure of having no usable credentials. */
export function noCredentials(message: string, cause?: unknown): S3Failure {
  return new S3Failure({ code: "NoCredentials", message, cause });
}
