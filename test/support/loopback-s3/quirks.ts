// Departures of real S3 servers from Amazon's behaviour, one switch each; all off by default.

/** Each switch names what the server does wrong; who does so is in the project's notes on S3 servers. */
export interface Quirks {
  /** A GET with If-Match of another ETag is served. */
  readonly ignoreIfMatchOnGet?: boolean;
  /** If-None-Match and If-Match on PUT and Complete are ignored: 200, overwritten. */
  readonly ignoreConditionalPut?: boolean;
  /** If-Match on PUT compares with the unquoted ETag, so that the right one is 412. */
  readonly ifMatchOnPutAlways412?: boolean;
  readonly ignoreCopySourceIfMatch?: boolean;
  /** Each page with a delimiter shows the last common prefix of the page before again. */
  readonly repeatCommonPrefixes?: boolean;
  /** The continuation token of a page leads to the same page again. */
  readonly tokenDoesNotAdvance?: boolean;
  /** A token whose key was deleted meanwhile starts again from the first key. */
  readonly restartAfterDeletedToken?: boolean;
  /** Pages of a listing have at most so many keys, whatever was asked for. */
  readonly pageKeys?: number;
  /** `walk`: "/" before everything; `hashed`: each component by a digest of it, as a store that encrypts names does. */
  readonly listOrder?: "utf8" | "utf16" | "walk" | "hashed";
  /** `ignored`: raw keys, not echoed; `echoed`: raw keys, but echoed; `plus`: space as +. */
  readonly encodingType?: "done" | "ignored" | "echoed" | "plus";
  /** Slashes are encoded too, in prefixes as well. */
  readonly encodeSlash?: boolean;
  readonly noKeyCount?: boolean;
  readonly etagsInListings?: "quoted" | "unquoted" | "none";
  readonly unquotedCopyEtag?: boolean;
  /** An uploaded part that Complete does not list makes it fail. */
  readonly strayPartFailsComplete?: boolean;
  readonly completeAgain404?: boolean;
  /** UploadPartCopy answers 501. */
  readonly noUploadPartCopy?: boolean;
  /** CopyObject answers 501. */
  readonly noCopy?: boolean;
  /** Parts but the last must be equal in size (R2). */
  readonly equalPartsOnly?: boolean;
  /** Parts may be of any size (Garage, gofakes3). */
  readonly smallParts?: boolean;
  /** ETags of multipart objects are not md5-of-md5s. */
  readonly opaqueMultipartEtag?: boolean;
  /** ETags look like MD5s and are none, and no header says why. */
  readonly opaqueEtags?: boolean;
  /** Status for any request that carries x-amz-checksum-* or x-amz-sdk-checksum-* headers. */
  readonly refuseChecksumHeaders?: 400 | 501;
  /** Range headers are ignored: 200 with the whole object. */
  readonly ignoreRange?: boolean;
  /** Objects `a` and `a/b` cannot both exist: 409. */
  readonly hierarchicalKeys?: boolean;
  /** Headers of SSE-C are ignored: stored in clear, and readable without the key. */
  readonly ignoreCustomerKeys?: boolean;
  /** What the bucket encrypts with where an upload does not say. */
  readonly bucketEncryption?: "AES256" | "aws:kms";
  /** Whoever does not offer to pay is 403. */
  readonly requesterPays?: boolean;
  /** x-amz-storage-class other than STANDARD is 400. */
  readonly onlyStandardStorageClass?: boolean;
  /** If-Match on PUT and If-None-Match answer 501. */
  readonly conditionalPut501?: boolean;
  /** 412 bodies and 404 bodies come without XML, as some proxies send them. */
  readonly bareErrors?: boolean;
}
