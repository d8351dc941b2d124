// The only maker of MountOptions, for every way to write options.
import { join, resolve } from "node:path";
import { descriptorOf } from "../posix/fuse-device.ts";
import { type Environment, environmentKeys, environmentOptions } from "./environment-options.ts";
import type { GivenOption } from "./given-option.ts";
import { mountFolderName } from "./mount-folder.ts";
import type {
  CredentialsOptions,
  FsOptions,
  MountOptions,
  S3Options,
  SpoolOptions,
} from "./mount-options.ts";
import { checkConflicts } from "./option-conflicts.ts";
import type { OptionValues } from "./option-table.ts";
import { type ResolvedOptions, resolveOptions } from "./resolve-options.ts";
import { type MountSource, parseSource } from "./source.ts";
import { userDefaults } from "./user-defaults.ts";

/** A wish to mount, as it was written. */
export interface MountRequest {
  readonly source: string;
  readonly mountpoint: string;
  /** In the order written; a later one of the same origin wins. */
  readonly given: readonly GivenOption[];
  /** Whether words of an option list that nobody knows are told instead of refused (mount -s). */
  readonly sloppy?: boolean;
}

export interface ParsedMount {
  readonly options: MountOptions;
  /** Whether an existing mount is to be changed instead (mount -o remount). */
  readonly isRemount: boolean;
  /** One line for each option that was accepted without effect. */
  readonly notices: readonly string[];
}

/** Validates and completes a request; throws OptionError, one line that names the value and the remedy. */
export function parseMountOptions(request: MountRequest, environment: Environment): ParsedMount {
  const source = parseSource(request.source, environment.isGoofys);
  const resolved = resolveGiven(request.given, environment, request.sloppy);
  const { values } = resolved;
  checkConflicts(resolved);
  const folder = mountFolderName(values.endpoint, source.bucket, source.prefix);
  const options: MountOptions = {
    source: request.source,
    mountpoint: resolve(environment.directory, request.mountpoint),
    s3: s3Part(source, values, credentials(resolved, environment)),
    cache: {
      directory: join(values.cache_dir, folder),
      limitBytes: values.cache_size,
      minFree: values.min_free,
      memoryLimitBytes: values.memory_limit,
    },
    spool: spoolPart(values, join(values.state_dir, folder)),
    local: {
      directory: join(values.state_dir, folder, "local"),
      names: values.local_prefix,
      minFree: values.min_free,
    },
    fs: fsPart(values, environment),
    fuse: {
      device: descriptorOf(request.mountpoint),
      adapter: values.fuse,
      passthrough: values.passthrough,
      allowOther: values.allow_other,
      readOnly: values.read_only,
      nonempty: values.nonempty,
      mountWords: resolved.mountWords,
    },
    daemon: {
      foreground: values.foreground,
      umountWaitMs: values.umount_wait,
      protectMountpoint: values.protect_mountpoint,
      metrics: values.metrics,
    },
    log: { file: values.log_file, level: values.log_level },
  };
  return { options, isRemount: resolved.isRemount, notices: resolved.notices };
}

/** Options as they were written, with those of the environment; throws OptionError as parseMountOptions(). */
export function resolveGiven(
  given: readonly GivenOption[],
  environment: Environment,
  sloppy = false,
): ResolvedOptions {
  const all = [...environmentOptions(environment.variables), ...given];
  const { directory } = environment;
  const isRoot = environment.uid === 0;
  return resolveOptions(all, { directory, defaults: userDefaults(environment), isRoot, sloppy });
}

function credentials(resolved: ResolvedOptions, environment: Environment): CredentialsOptions {
  const { profile, credentials_file: file } = resolved.values;
  // a profile that was written down is a wish; AWS_PROFILE beside keys is an accident, and keys win (as with AWS's tools)
  const profileAsked =
    profile !== undefined && resolved.given.get("profile")?.origin !== "environment";
  const unused = file !== undefined || profileAsked;
  return {
    file,
    profile,
    environmentKeys: unused ? undefined : environmentKeys(environment.variables),
  };
}

function s3Part(
  source: MountSource,
  values: OptionValues,
  credentials: CredentialsOptions,
): S3Options {
  return {
    ...source,
    endpoint: values.endpoint,
    region: values.region,
    pathStyle:
      values.path_style === "auto"
        ? needsPathStyle(values.endpoint, source.bucket)
        : values.path_style,
    credentials,
    storageClass: values.storage_class,
    storageClassMinBytes: storageClassMinBytes(values),
    sse: encryption(values),
    sseKmsKey: values.sse_kms_key,
    customerKey: customerKey(values),
    requesterPays: values.requester_pays,
    acl: values.acl,
    deadlineMs: values.s3_deadline,
    concurrency: values.concurrency,
  };
}

function encryption({ sse, sse_kms_key: kmsKey }: OptionValues): S3Options["sse"] {
  if (kmsKey !== undefined) return "aws:kms";
  return sse === "none" ? undefined : sse;
}

function customerKey(values: OptionValues): S3Options["customerKey"] {
  const { sse_customer_key: key, sse_customer_key_file: file } = values;
  if (file !== undefined) return { file };
  return key === undefined ? undefined : { key };
}

// where an object of 1 byte costs as much as one of 128 KiB (and goofys does the same)
function storageClassMinBytes(values: OptionValues): number {
  const { storage_class: name = "", storage_class_min_size: size } = values;
  if (size !== "auto") return size;
  return /^(STANDARD_IA|ONEZONE_IA|GLACIER_IR)$/i.test(name) ? 128 * 2 ** 10 : 0;
}

// few services but AWS answer to BUCKET.host, and AWS's certificate does not cover names with dots
function needsPathStyle(endpoint: string | undefined, bucket: string): boolean {
  const isAws =
    endpoint === undefined || /\.amazonaws\.com(\.cn)?$/.test(new URL(endpoint).hostname);
  return !isAws || bucket.includes(".");
}

function spoolPart(values: OptionValues, stateDirectory: string): SpoolOptions {
  return {
    stateDirectory,
    limitBytes: values.spool_size,
    minFree: values.min_free,
    partSizeBytes: values.part_size,
    multipartThresholdBytes: values.multipart_threshold,
    contentType: values.content_type,
  };
}

function fsPart(values: OptionValues, environment: Environment): FsOptions {
  return {
    uid: values.uid ?? environment.uid,
    gid: values.gid ?? environment.gid,
    fileMode: values.file_mode & ~values.umask,
    dirMode: values.dir_mode & ~values.umask,
    readOnly: values.read_only,
    ack: values.ack,
    publishDelayMs: values.publish_delay,
    deleteDelayMs: values.delete_delay,
    deleteBurst: values.delete_burst,
    sharing: values.sharing,
    refreshIntervalMs: values.refresh_interval,
    metadata: values.metadata,
    directoryMarkers: values.directory_markers,
    statCacheTtlMs: values.stat_cache_ttl,
    negativeTtlMs: values.negative_ttl,
  };
}
