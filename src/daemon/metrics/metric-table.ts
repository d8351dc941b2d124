// What of `pailfs status` becomes which metric. A number of the status that has no row here is a gauge named after it.
import type { DaemonStatus } from "../status.ts";

/** A family of metrics as Prometheus has it. */
export interface Metric {
  /** Without the prefix "pailfs_". */
  readonly name: string;
  readonly type: "counter" | "gauge";
  readonly help: string;
  readonly samples: readonly Sample[];
}

/** A value with its labels. */
export interface Sample {
  readonly labels?: Readonly<Record<string, string>>;
  readonly value: number;
}

type Value = number | boolean | readonly Sample[];

interface Row {
  readonly name: string;
  readonly type: Metric["type"];
  readonly help: string;
  /** The field of the status, or a part of it, that needs no gauge of its own then. */
  readonly field?: string;
  readonly value: (status: DaemonStatus, nowMs: number) => Value;
}

const counter = (field: string, name: string, help: string, value: Row["value"]): Row => ({
  name,
  type: "counter",
  help,
  field,
  value,
});
const gauge = (field: string, name: string, help: string, value: Row["value"]): Row => ({
  name,
  type: "gauge",
  help,
  field,
  value,
});

/** Seconds since `sinceMs`; 0 where there is nothing to wait for. */
function age(sinceMs: number | undefined, nowMs: number): number {
  return sinceMs === undefined ? 0 : Math.max(0, nowMs - sinceMs) / 1000;
}

/** Counts of two levels as samples with two labels. */
function byKind(
  counts: Readonly<Record<string, Readonly<Record<string, number>>>>,
  outer: string,
  inner: string,
): Sample[] {
  return Object.entries(counts).flatMap(([kind, ends]) =>
    Object.entries(ends).map(([end, value]) => ({
      labels: { [outer]: kind, [inner]: end },
      value,
    })),
  );
}

export const rows: readonly Row[] = [
  {
    name: "info",
    type: "gauge",
    help: "Always 1; the labels say what is mounted, how, and by which version.",
    value: (status) => {
      const { version, bucket, prefix, mountpoint, adapter } = status;
      return [{ labels: { version, bucket, prefix, mountpoint, adapter }, value: 1 }];
    },
  },
  {
    name: "serving",
    type: "gauge",
    help: "1 while mounted, 0 while only uploads go on.",
    value: ({ phase }) => phase !== "draining",
  },
  gauge(
    "startedMs",
    "start_time_seconds",
    "When the daemon started, since the epoch.",
    (status) => status.startedMs / 1000,
  ),
  gauge(
    "memoryBytes",
    "resident_memory_bytes",
    "Resident memory of the daemon.",
    (status) => status.memoryBytes,
  ),
  counter(
    "fuse.answers",
    "fuse_operations_total",
    "Answers to the kernel, by operation and errno.",
    ({ fuse }) => byKind(fuse.answers, "operation", "errno"),
  ),
  counter(
    "fuse.readBytes",
    "fuse_read_bytes_total",
    "Bytes read through the daemon; the kernel reads others by itself.",
    ({ fuse }) => fuse.readBytes,
  ),
  counter(
    "fuse.writtenBytes",
    "fuse_written_bytes_total",
    "Bytes written through the daemon; the kernel writes others by itself.",
    ({ fuse }) => fuse.writtenBytes,
  ),
  gauge(
    "fuse.inFlight",
    "fuse_in_flight",
    "Operations that wait for their answer.",
    ({ fuse }) => fuse.inFlight,
  ),
  gauge(
    "fuse.openFiles",
    "fuse_open_files",
    "Files that are open in the mount.",
    ({ fuse }) => fuse.openFiles,
  ),
  gauge("fuse.names", "fuse_names", "Names that the kernel knows.", ({ fuse }) => fuse.names),
  counter(
    "requests",
    "s3_requests_total",
    "Requests sent to S3 by verb, retries included.",
    ({ requests }) =>
      Object.entries(requests).map(([verb, value]) => ({ labels: { verb }, value })),
  ),
  counter(
    "s3.answers",
    "s3_answers_total",
    "What requests came to, by verb and HTTP status or the code of what broke them.",
    ({ s3 }) => byKind(s3.answers, "verb", "status"),
  ),
  counter(
    "s3.sentBytes",
    "s3_sent_bytes_total",
    "Bytes of objects sent to S3, failed attempts included.",
    ({ s3 }) => s3.sentBytes,
  ),
  counter(
    "s3.receivedBytes",
    "s3_received_bytes_total",
    "Bytes of the bodies of answers of S3.",
    ({ s3 }) => s3.receivedBytes,
  ),
  {
    name: "s3_up",
    type: "gauge",
    help: "1 unless the latest requests to S3 got no answer of use.",
    value: (status) => status.failingSinceMs === undefined,
  },
  gauge(
    "failingSinceMs",
    "s3_failing_seconds",
    "For how long S3 has given no answer of use; 0 while it does.",
    (status, now) => age(status.failingSinceMs, now),
  ),
  gauge(
    "queue.length",
    "queue_length",
    "Uploads, copies and deletes that the bucket has still to see.",
    ({ queue }) => queue.length,
  ),
  gauge(
    "queue.bytes",
    "queue_bytes",
    "Bytes of uploads that the bucket has still to see.",
    ({ queue }) => queue.bytes,
  ),
  gauge(
    "queue.refused",
    "queue_refused",
    "Of them those that need a person (see: pailfs queue).",
    ({ queue }) => queue.refused,
  ),
  gauge(
    "queue.oldestMs",
    "queue_oldest_seconds",
    "Age of the oldest in the queue; 0 when it is empty.",
    ({ queue }, now) => age(queue.oldestMs, now),
  ),
  gauge(
    "queue.lastError",
    "queue_failing_seconds",
    "Since when the queue has only met failures; 0 while it goes on.",
    ({ queue }, now) => age(queue.lastError?.sinceMs, now),
  ),
  gauge(
    "queue.delayed.count",
    "queue_delayed_deletes",
    "Deletes that wait for the end of delete_delay.",
    ({ queue }) => queue.delayed.count,
  ),
  gauge(
    "queue.delayed.bytes",
    "queue_delayed_delete_bytes",
    "Bytes of the objects that they would delete, where the size is known.",
    ({ queue }) => queue.delayed.bytes,
  ),
  gauge(
    "queue.burst",
    "queue_delete_burst",
    "Files that were removed in a short time, more than delete_burst; 0 when there is nothing to look at.",
    ({ queue }) => queue.burst?.count ?? 0,
  ),
  gauge(
    "spool.bytes",
    "spool_bytes",
    "Bytes of staged files: being written, or waiting for the bucket.",
    ({ spool }) => spool.bytes,
  ),
  gauge(
    "spool.limitBytes",
    "spool_limit_bytes",
    "What spool_size allows.",
    ({ spool }) => spool.limitBytes,
  ),
  gauge("cache.bytes", "cache_bytes", "Bytes in the cache.", ({ cache }) => cache.bytes),
  gauge(
    "cache.limitBytes",
    "cache_limit_bytes",
    "What cache_size and the disk allow.",
    ({ cache }) => cache.limitBytes,
  ),
  gauge(
    "cache.objects",
    "cache_objects",
    "Objects of which something is in the cache.",
    ({ cache }) => cache.objects,
  ),
  counter(
    "cache.hits",
    "cache_hits_total",
    "Reads that the cache answered.",
    ({ cache }) => cache.hits,
  ),
  counter(
    "cache.misses",
    "cache_misses_total",
    "Reads for which S3 was asked.",
    ({ cache }) => cache.misses,
  ),
  gauge(
    "cache.failure",
    "cache_bypassed",
    "1 while the disk of the cache fails.",
    ({ cache }) => cache.failure !== undefined,
  ),
  gauge(
    "names.waiting",
    "names_waiting",
    "Changes of names that the index could not take yet.",
    ({ names }) => names?.waiting ?? 0,
  ),
];
