// The real synapse-s3-storage-provider and its s3_media_upload, from PyPI.
import { execFile } from "node:child_process";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { testLogin } from "../loopback-s3/loopback-s3.ts";
import { synapsePython } from "./real-synapse.ts";

const run = promisify(execFile);
const top = new URL("../../../", import.meta.url).pathname;

/** What an operator writes down for both. */
export interface ProviderSettings {
  readonly endpoint: string;
  readonly bucket: string;
  /** The beginning of keys, as it is. */
  readonly prefix: string;
  readonly storageClass: string;
  /** 32 characters, for SSE-C. */
  readonly customerKey?: string;
}

let folder: Promise<string> | undefined;

async function runPython(python: string, code: string): Promise<string> {
  return (await run(python, ["-B", "-c", code], { cwd: top, timeout: 400_000 })).stdout;
}

/** The folder of its modules, installed when it is missing. */
export async function providerModules(): Promise<string> {
  const code =
    "import sys; sys.path.insert(0, 'scripts'); from synapse.provider import ensure_provider; " +
    "print(ensure_provider(sys.executable, lambda text: None))";
  folder ??= runPython("python3", code).then((stdout) => stdout.trim());
  return folder;
}

/** Python that runs before Synapse's own, so that it finds the module. */
export async function providerPrelude(): Promise<string> {
  return `import sys; sys.path.append(${JSON.stringify(await providerModules())})`;
}

/** The value of media_storage_providers in homeserver.yaml. */
export function providerConfig(settings: ProviderSettings): readonly unknown[] {
  const { endpoint, bucket, prefix, storageClass, customerKey } = settings;
  const config = {
    bucket,
    prefix,
    region_name: "us-east-1",
    endpoint_url: endpoint,
    access_key_id: testLogin.accessKeyId,
    secret_access_key: testLogin.secretAccessKey,
    storage_class: storageClass,
    ...(customerKey === undefined ? {} : { sse_customer_key: customerKey }),
  };
  return [
    {
      module: "s3_storage_provider.S3StorageProviderBackend",
      store_local: true,
      store_remote: true,
      store_synchronous: true,
      config,
    },
  ];
}

/** Runs s3_media_upload in `place` (its cache.db is there) with these words; resolves to what it printed. */
export async function s3MediaUpload(place: string, ...words: string[]): Promise<string> {
  const modules = await providerModules();
  const program = join(modules, "bin/s3_media_upload");
  const env = {
    ...process.env,
    PYTHONPATH: modules,
    AWS_ACCESS_KEY_ID: testLogin.accessKeyId,
    AWS_SECRET_ACCESS_KEY: testLogin.secretAccessKey,
    AWS_DEFAULT_REGION: "us-east-1",
  };
  const argv = [program, "--no-progress", ...words];
  return (await run(await synapsePython(), argv, { cwd: place, env, timeout: 120_000 })).stdout;
}

/** As operators do daily, but for --delete: everything below `media` that Synapse's database knows goes to the bucket. */
export async function uploadByScript(
  place: string,
  media: string,
  homeserverConfig: string,
  settings: ProviderSettings,
): Promise<string> {
  await mkdir(place, { recursive: true });
  await s3MediaUpload(place, "update", media, "0d", "--homeserver-config-path", homeserverConfig);
  const { endpoint, bucket, prefix, storageClass, customerKey } = settings;
  const words = ["--endpoint-url", endpoint, "--prefix", prefix, "--storage-class", storageClass];
  const key = customerKey === undefined ? [] : ["--sse-customer-key", customerKey];
  return s3MediaUpload(place, "upload", media, bucket, ...words, ...key);
}
