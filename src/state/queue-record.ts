// The durable form of work that S3 still has to see; the upload queue (spool/) gives it meaning.

/** What every record tells of itself. */
interface Queued {
  /** Ms since the epoch at which it was acknowledged; records of older versions lack it. */
  readonly queuedMs?: number;
}

/** Upload of a staged file as one object. */
export interface PutRecord extends Queued {
  readonly kind: "put";
  readonly key: string;
  /** Id of the staged file. */
  readonly staged: string;
  /** Bytes as of the last close or fsync: what is published even when the staged file is longer by now. */
  readonly size: number;
  /** x-amz-meta-* to send. */
  readonly metadata?: Readonly<Record<string, string>>;
  /** Multipart upload under way, to be resumed or aborted. */
  readonly uploadId?: string;
}

export interface DeleteRecord extends Queued {
  readonly kind: "delete";
  readonly key: string;
  /** Known once a rename has copied this version: another one at the key is somebody else's, and stays. */
  readonly etag?: string;
  /** When the name was removed, of an object that stayed for a while: ms since the epoch. */
  readonly removedMs?: number;
}

/** Server-side copy of one version; the delete of `from` is a record of its own. */
export interface CopyRecord extends Queued {
  readonly kind: "copy";
  readonly from: string;
  readonly to: string;
  /** Version that was renamed. */
  readonly etag: string;
  readonly size: number;
  /** x-amz-meta-* that the copy gets instead of the source's; others of the source stay. */
  readonly metadata?: Readonly<Record<string, string>>;
}

/** New metadata for the object at `key`: a copy of one version onto itself. */
export interface DescribeRecord extends Queued {
  readonly kind: "describe";
  readonly key: string;
  /** Version that is meant; of an object that is still being made, what its making will tell. */
  readonly etag: string;
  readonly size: number;
  readonly metadata: Readonly<Record<string, string>>;
}

export type QueueRecord = PutRecord | DeleteRecord | CopyRecord | DescribeRecord;
