// GET: a range of one version of an object, resumed where a connection broke.
import { FsError } from "../posix/errno.ts";
import { failureOfBreak } from "./failure-of-answer.ts";
import { objectInfoOf } from "./object-headers.ts";
import type { ByteRange, GetOptions, ObjectBody, ObjectInfo, ObjectKey } from "./object-store.ts";
import type { RetryState } from "./retry.ts";
import type { S3Call, S3Stream } from "./s3-call.ts";
import type { S3Client } from "./s3-client.ts";
import { abortedError, toFsError } from "./s3-error.ts";
import { S3Failure, failureOf } from "./s3-failure.ts";

/** An answer understood: which bytes of which version it brings. */
export interface Opened {
  readonly stream: S3Stream;
  readonly info: ObjectInfo;
  /** Of the body as it comes; may start before what was asked where Range is ignored. */
  readonly range: ByteRange;
}

/** Contract: ObjectStore.getObject. */
export async function getObject(
  client: S3Client,
  key: ObjectKey,
  options: GetOptions = {},
): Promise<ObjectBody> {
  if (options.range !== undefined && options.range.end <= options.range.start) {
    // S3 ignores such a Range and sends everything
    throw new FsError("EINVAL", `Cannot GET "${key}": empty range`);
  }
  const state = client.newState(options);
  let opened: Opened;
  try {
    opened = await openObject(client, key, options, state);
  } catch (error) {
    if (failureOf(error)?.status !== 416) throw error;
    return readPastEnd(client, key, options, error);
  }
  const { info } = opened;
  const asked = options.range ?? { start: 0, end: info.size };
  const range = { start: Math.min(asked.start, info.size), end: Math.min(asked.end, info.size) };
  return { info, range, body: deliver(client, opened, range, options, state) };
}

function getCall(key: ObjectKey, options: GetOptions): S3Call {
  const headers: Record<string, string> = {};
  const { range, ifMatch } = options;
  if (range !== undefined) headers["range"] = `bytes=${range.start}-${range.end - 1}`;
  if (ifMatch !== undefined && ifMatch !== "") headers["if-match"] = `"${ifMatch}"`;
  return { verb: "GET", method: "GET", key, sealed: key, headers, options };
}

/** Sends the GET until an answer's headers make sense. */
export async function openObject(
  client: S3Client,
  key: ObjectKey,
  options: GetOptions,
  state: RetryState,
): Promise<Opened> {
  const call = getCall(key, options);
  for (;;) {
    const stream = await client.open(call, state);
    try {
      return understand(key, stream, options);
    } catch (error) {
      stream.release(false);
      if (error instanceof FsError) throw error;
      if (await state.again(await client.decide(call, error), options.signal)) continue;
      throw toFsError(error, `Cannot GET "${key}"`);
    }
  }
}

function understand(key: ObjectKey, stream: S3Stream, options: GetOptions): Opened {
  const { headers, status } = stream;
  const length = Number(headers["content-length"] ?? Number.NaN);
  if (!Number.isSafeInteger(length)) throw badAnswer("it has no Content-Length");
  const whole = { start: 0, end: length, size: length };
  const { size, ...range } = status === 206 ? contentRange(headers["content-range"]) : whole;
  if (range.end - range.start !== length) throw badAnswer("its length is not its range's");
  // a range further to the right leaves a hole; one further to the left is cut
  if (range.start > (options.range?.start ?? 0)) throw badAnswer("it is another range");
  const info = objectInfoOf(key, headers, size);
  const { ifMatch } = options;
  if (ifMatch !== undefined && ifMatch !== "" && info.etag !== ifMatch) {
    const message = `object changed, etag "${ifMatch}", now "${info.etag}"`;
    throw new FsError("ESTALE", `Cannot GET "${key}": ${message}`);
  }
  return { stream, info, range };
}

function contentRange(value: string | undefined): ByteRange & { readonly size: number } {
  const match = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(value ?? "");
  if (match === null) throw badAnswer(`its Content-Range is "${value ?? ""}"`);
  const [start = 0, last = 0, size = 0] = match.slice(1).map(Number);
  return { start, end: last + 1, size };
}

function badAnswer(message: string): S3Failure {
  return new S3Failure({ code: "BadAnswer", message: `answer makes no sense: ${message}` });
}

async function* deliver(
  client: S3Client,
  first: Opened,
  range: ByteRange,
  options: GetOptions,
  state: RetryState,
): AsyncGenerator<Uint8Array> {
  const { info } = first;
  let { stream } = first;
  // bytes the stream brings next; those before `at` are dropped
  let position = first.range.start;
  let end = first.range.end;
  let at = range.start;
  // time in which nobody asked for bytes does not count
  state.deadline.progressed();
  try {
    while (at < range.end) {
      try {
        const chunk = await stream.next();
        if (chunk === undefined) throw new S3Failure({ code: "TruncatedBody" });
        const from = Math.max(at - position, 0);
        const wanted = chunk.subarray(from, Math.min(chunk.length, range.end - position));
        position += chunk.length;
        if (wanted.length === 0) continue;
        at += wanted.length;
        yield wanted;
        state.deadline.progressed();
      } catch (error) {
        stream.release(false);
        const rest = { start: at, end: range.end };
        const resumed = await resumeObject(client, info, { ...options, range: rest }, state, error);
        stream = resumed.stream;
        position = resumed.range.start;
        end = resumed.range.end;
      }
    }
  } finally {
    stream.release(position >= end);
  }
}

/** The rest of the same version after a break, within the deadline; ESTALE when there is another version now. */
export async function resumeObject(
  client: S3Client,
  info: ObjectInfo,
  options: GetOptions,
  state: RetryState,
  cause: unknown,
): Promise<Opened> {
  const action = `Cannot GET "${info.key}"`;
  if (cause instanceof FsError) throw cause;
  const givenUp = (): boolean => (options.signal?.aborted ?? false) || client.closing;
  if (givenUp()) throw abortedError(action);
  const again = { ...options, ifMatch: info.etag };
  const decision = await client.decide(getCall(info.key, again), cause);
  if (!(await state.again(decision, options.signal))) {
    if (givenUp()) throw abortedError(action);
    throw toFsError(failureOfBreak(cause) ?? cause, action);
  }
  const opened = await openObject(client, info.key, again, state);
  const { etag, size, lastModified } = opened.info;
  if (size === info.size && (etag !== "" || lastModified === info.lastModified)) return opened;
  opened.stream.release(false);
  throw new FsError("ESTALE", `${action}: object changed while it was read`);
}

/** The answer to a range that starts at or after the end: nothing, unless the object is another one by now. */
async function readPastEnd(
  client: S3Client,
  key: ObjectKey,
  options: GetOptions,
  refusal: unknown,
): Promise<ObjectBody> {
  const info = await client.head(key, options);
  if (info === undefined) throw refusal;
  const { size } = info;
  const { ifMatch, range } = options;
  const changed = ifMatch !== undefined && ifMatch !== "" && ifMatch !== info.etag;
  if (changed || (range?.start ?? 0) < size) throw refusal;
  return { info, range: { start: size, end: size }, body: nothing() };
}

async function* nothing(): AsyncGenerator<Uint8Array> {
  // no bytes
}
