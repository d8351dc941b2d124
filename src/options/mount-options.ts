// MountOptions: what a mount is to be, fully defaulted and validated. Each layer receives its own part only.
import type { LogLevel } from "../log.ts";
import type { ListenAddress } from "./listen-type.ts";
import type { MinFree } from "./quantity-type.ts";

export interface MountOptions {
  /** The source as it was given: mountinfo must show the same text as fstab has. */
  readonly source: string;
  /** Absolute; symbolic links not yet resolved. */
  readonly mountpoint: string;
  readonly s3: S3Options;
  readonly cache: CacheOptions;
  readonly spool: SpoolOptions;
  readonly local: LocalOptions;
  readonly fs: FsOptions;
  readonly fuse: FuseOptions;
  readonly daemon: DaemonOptions;
  readonly log: LogOptions;
}

export interface S3Options {
  readonly bucket: string;
  /** As given: no slash is added. "" is the whole bucket. */
  readonly prefix: string;
  /** Origin of a URL; undefined is AWS. */
  readonly endpoint: string | undefined;
  readonly region: string | undefined;
  readonly pathStyle: boolean;
  readonly credentials: CredentialsOptions;
  readonly storageClass: string | undefined;
  /** Smaller objects, in bytes, get none. */
  readonly storageClassMinBytes: number;
  readonly sse: "AES256" | "aws:kms" | undefined;
  readonly sseKmsKey: string | undefined;
  /** Undefined: no SSE-C. */
  readonly customerKey: CustomerKeyOptions | undefined;
  readonly requesterPays: boolean;
  readonly acl: string | undefined;
  readonly deadlineMs: number;
  readonly concurrency: number;
}

/** A key for SSE-C: base64 of 32 bytes, or the absolute path of a file that holds it. */
export type CustomerKeyOptions = { readonly key: string } | { readonly file: string };

/** Where the keys come from: the first of file, environment, then the AWS chain (with the profile). */
export interface CredentialsOptions {
  readonly file: string | undefined;
  readonly profile: string | undefined;
  /** AWS_ACCESS_KEY_ID or AWS_ACCESS_KEY with its secret; undefined when not set or when a profile was asked for. */
  readonly environmentKeys: StaticKeys | undefined;
}

export interface StaticKeys {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken: string | undefined;
}

export interface CacheOptions {
  /** The folder of this bucket and prefix. */
  readonly directory: string;
  /** As asked for; at most 80 % of the disk is used whatever it says. */
  readonly limitBytes: number;
  readonly minFree: MinFree;
  /** Buffers of all layers together. */
  readonly memoryLimitBytes: number;
}

export interface SpoolOptions {
  /** The folder of this bucket and prefix: journal, names and staged files. */
  readonly stateDirectory: string;
  readonly limitBytes: number;
  readonly minFree: MinFree;
  readonly partSizeBytes: number;
  readonly multipartThresholdBytes: number;
  /** A type, `by-extension`, or undefined for the store's own default. */
  readonly contentType: string | undefined;
}

/** What is kept on the local disk for good. */
export interface LocalOptions {
  /** Below the mount's state directory. */
  readonly directory: string;
  /** Names at the root of the mount; none: nothing is kept. */
  readonly names: readonly string[];
  readonly minFree: MinFree;
}

export interface FsOptions {
  readonly uid: number;
  readonly gid: number;
  /** Permission bits, umask applied. */
  readonly fileMode: number;
  readonly dirMode: number;
  readonly readOnly: boolean;
  readonly ack: "disk" | "s3";
  /** Before an upload begins; an unmount does not wait for it. */
  readonly publishDelayMs: number;
  /** How long an object outlives its name; 0: it goes at once. */
  readonly deleteDelayMs: number;
  /** Files removed within 10 minutes that are worth a warning; 0: none are. */
  readonly deleteBurst: number;
  readonly sharing: "shared" | "exclusive";
  /** 0: only when asked. */
  readonly refreshIntervalMs: number;
  readonly metadata: "index" | "object";
  readonly directoryMarkers: boolean;
  readonly statCacheTtlMs: number;
  readonly negativeTtlMs: number;
}

export interface FuseOptions {
  /** Descriptor of a FUSE device that whoever started this process has mounted (a mount point /dev/fd/N). */
  readonly device: number | undefined;
  readonly adapter: "auto" | "kernel" | "native";
  readonly passthrough: boolean | "auto";
  readonly allowOther: boolean;
  readonly readOnly: boolean;
  readonly nonempty: boolean;
  /** VFS words for mount(8) in the order given, such as noatime; always with nosuid and nodev. */
  readonly mountWords: readonly string[];
}

export interface DaemonOptions {
  readonly foreground: boolean;
  /** How long umount(8) waits for uploads. */
  readonly umountWaitMs: number;
  /** Whether the directory below the mount is made unwritable; auto: when mounted by mount(8) or systemd. */
  readonly protectMountpoint: boolean | "auto";
  /** Where metrics are to be had; undefined: nowhere. */
  readonly metrics: ListenAddress | undefined;
}

export interface LogOptions {
  readonly file: string | undefined;
  readonly level: LogLevel;
}
