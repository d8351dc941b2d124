import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { dir } from "tmp-promise";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { credentialProvider, environmentCredentials } from "../../../src/s3/credentials.ts";

let directory: { path: string; cleanup: () => Promise<void> };
const none = { AWS_SHARED_CREDENTIALS_FILE: "/nonexistent" };

beforeAll(async () => {
  directory = await dir({ unsafeCleanup: true });
});

afterAll(async () => {
  await directory.cleanup();
});

async function file(name: string, text: string, mode = 0o600): Promise<string> {
  const path = join(directory.path, name);
  await writeFile(path, text, { mode });
  return path;
}

describe("credentialProvider()", () => {
  const bucket = "b1";

  test("reads KEY:SECRET, that of the bucket before the common one", async () => {
    const credentialsFile = await file("lines", "# c\nother:O:OS\nK:S\nb1:BK:BS\n");
    const of = async (name: string): Promise<unknown> =>
      credentialProvider({ environment: none, bucket: name, credentialsFile })();
    expect(await of("b1")).toMatchObject({ accessKeyId: "BK", secretAccessKey: "BS" });
    expect(await of("b2")).toMatchObject({ accessKeyId: "K", secretAccessKey: "S" });
  });

  test("reads the section of a profile from INI", async () => {
    const ini =
      "[default]\naws_access_key_id = D\naws_secret_access_key=DS\n" +
      "[p]\r\naws_access_key_id=P\r\naws_secret_access_key = P/+=S \r\naws_session_token=T\n";
    const credentialsFile = await file("ini", ini);
    const options = { environment: none, bucket, credentialsFile };
    expect(await credentialProvider(options)()).toMatchObject({ accessKeyId: "D" });
    expect(await credentialProvider({ ...options, profile: "p" })()).toEqual({
      accessKeyId: "P",
      secretAccessKey: "P/+=S",
      sessionToken: "T",
    });
    const shared = { AWS_SHARED_CREDENTIALS_FILE: credentialsFile, AWS_PROFILE: "p" };
    expect(await credentialProvider({ environment: shared, bucket })()).toMatchObject({
      accessKeyId: "P",
    });
  });

  test.each([0o644, 0o604, 0o620])("refuses a file of mode %o", async (mode) => {
    const credentialsFile = await file(`mode${mode}`, "K:S", mode);
    const provider = credentialProvider({ environment: none, bucket, credentialsFile });
    // the mask of the process may have taken bits away
    const { chmod } = await import("node:fs/promises");
    await chmod(credentialsFile, mode);
    await expect(provider()).rejects.toThrow(/has mode .*: want 0600/);
  });

  test("tells one line for a file that is absent or holds nothing", async () => {
    const absent = credentialProvider({
      environment: none,
      bucket,
      credentialsFile: "/nonexistent",
    });
    await expect(absent()).rejects.toThrow(/cannot read credentials: ENOENT/);
    const credentialsFile = await file("empty", "\n");
    const empty = credentialProvider({ environment: none, bucket, credentialsFile });
    await expect(empty()).rejects.toThrow(/holds no credentials/);
  });

  test("looks again when asked to refresh, and not before", async () => {
    const credentialsFile = await file("rotating", "K1:S");
    const provider = credentialProvider({ environment: none, bucket, credentialsFile });
    await provider();
    await file("rotating", "K2:S");
    expect(await provider()).toMatchObject({ accessKeyId: "K1" });
    expect(await provider({ refresh: true })).toMatchObject({ accessKeyId: "K2" });
    expect(await provider()).toMatchObject({ accessKeyId: "K2" });
  });
});

describe("environmentCredentials()", () => {
  test.each([
    [
      { AWS_ACCESS_KEY_ID: "a", AWS_SECRET_ACCESS_KEY: "b" },
      { accessKeyId: "a", secretAccessKey: "b" },
    ],
    [
      { AWS_ACCESS_KEY: "a", AWS_SECRET_KEY: "b" },
      { accessKeyId: "a", secretAccessKey: "b" },
    ],
    [
      { AWS_ACCESS_KEY_ID: "a", AWS_SECRET_ACCESS_KEY: "b", AWS_SESSION_TOKEN: "t" },
      { accessKeyId: "a", secretAccessKey: "b", sessionToken: "t" },
    ],
    [{ AWS_ACCESS_KEY_ID: "a" }, undefined],
    [{ AWS_ACCESS_KEY_ID: "", AWS_SECRET_ACCESS_KEY: "" }, undefined],
  ])("%j", (environment, credentials) => {
    expect(environmentCredentials(environment)).toEqual(credentials);
  });
});
