// Sends S3 calls: queue, transport and retries in one place.
import { debuglog } from "node:util";
import { FsError } from "../posix/errno.ts";
import { Attempt } from "./attempt.ts";
import { type Clock, systemClock } from "./clock.ts";
import { Destination } from "./destination.ts";
import type { Endpoint } from "./endpoint.ts";
import { failureOfAnswer, failureOfBreak, refuseHiddenError } from "./failure-of-answer.ts";
import { CustomerKey, encryptedObject } from "./customer-key.ts";
import { objectInfoOf } from "./object-headers.ts";
import type { CallOptions, ObjectInfo, ObjectKey, S3Verb } from "./object-store.ts";
import { RequestQueue } from "./request-queue.ts";
import { Deadline, type RetryDecision, RetryState } from "./retry.ts";
import type { S3Call, S3Config, S3Reply, S3Stream } from "./s3-call.ts";
import { abortedError, retryDecision, toFsError } from "./s3-error.ts";
import { S3Failure, failureOf } from "./s3-failure.ts";
import { openStream } from "./s3-stream.ts";
import { type HttpAnswer, Transport } from "./transport.ts";
import { UploadBody } from "./upload-body.ts";
import { Watchdog } from "./watchdog.ts";

const trace = debuglog("pailfs:s3");
const defaultDeadlineMs = 30_000;
const defaultConcurrency = 16;
const maxTextBytes = 32 * 2 ** 20;
// keys or throttling: what was asked for was not done, and asking again may help
const uselessStatuses: ReadonlySet<number> = new Set([401, 403, 429]);
const connectTimeoutMs = 10_000;
/** Background verbs without a body: they would wait behind uploads of many bytes, and cost the network nothing. */
const lightVerbs: ReadonlySet<S3Verb> = new Set(["COPY", "DELETE"]);
const backgroundVerbs: ReadonlySet<S3Verb> = new Set(["PUT", "UPLOAD_PART", "COPY", "COPY_PART"]);

/** Rejects with FsError only; the S3Failure is its cause. */
export class S3Client {
  readonly config: S3Config;
  readonly clock: Clock;
  /** Undefined without SSE-C. */
  readonly customerKey: CustomerKey | undefined;
  /** Since when no attempt got an answer of use, in ms since the epoch; undefined while S3 answers. */
  failingSinceMs: number | undefined;
  readonly requests: Record<S3Verb, number> = {
    GET: 0,
    HEAD: 0,
    PUT: 0,
    DELETE: 0,
    LIST: 0,
    COPY: 0,
    CREATE_MULTIPART: 0,
    UPLOAD_PART: 0,
    COPY_PART: 0,
    COMPLETE_MULTIPART: 0,
    ABORT_MULTIPART: 0,
  };
  /** Attempts by verb and HTTP status, or the code of what broke them. */
  readonly answers: Record<string, Record<string, number>> = {};
  /** Bytes of objects given to the network so far, those of attempts that failed too. */
  sentBytes = 0;
  /** Whether an upload that was read back had an ETag that is not the MD5 of its bytes. */
  hasOpaqueEtags = false;
  /** The Server header of the latest answer. */
  serverHeader: string | undefined;
  /** The Date of the latest answer, in ms since the epoch. */
  serverDate: number | undefined;
  readonly #destination: Destination;
  readonly #transport: Transport;
  readonly #queue: RequestQueue;
  /** Of requests that move no bytes and that nobody waits for. */
  readonly #lightQueue: RequestQueue;
  readonly #closing = new AbortController();

  constructor(config: S3Config, clock: Clock = systemClock) {
    this.config = config;
    this.clock = clock;
    const { encryption } = config;
    this.customerKey = encryption?.kind === "customer" ? new CustomerKey(encryption) : undefined;
    this.#destination = new Destination(config);
    this.#transport = new Transport({ connectTimeoutMs, ca: config.ca });
    const concurrency = config.concurrency ?? defaultConcurrency;
    this.#queue = new RequestQueue(concurrency);
    this.#lightQueue = new RequestQueue(2 * concurrency);
  }

  /** Bytes of answers' bodies so far. */
  get receivedBytes(): number {
    return this.#transport.receivedBytes;
  }

  get endpoint(): Endpoint {
    return this.#destination.endpoint;
  }

  /** The retry state of a new call. */
  newState(options: CallOptions | undefined): RetryState {
    const budgetMs = options?.deadlineMs ?? this.config.deadlineMs ?? defaultDeadlineMs;
    return new RetryState(this.clock, new Deadline(this.clock, budgetMs));
  }

  /** Resolves to a whole 2xx answer. */
  async request(call: S3Call, state?: RetryState): Promise<S3Reply> {
    return this.ask(call, (reply) => reply, state);
  }

  /** Resolves to what `parse` makes of a whole 2xx answer; its S3Failure counts as the attempt's, its time does not. */
  async ask<T>(
    call: S3Call,
    parse: (reply: S3Reply) => Promise<T> | T,
    state: RetryState = this.newState(call.options),
  ): Promise<T> {
    return this.#retrying(call, state, async (attempt, answer) =>
      parse(await this.#whole(call, attempt, answer)),
    );
  }

  async #whole(call: S3Call, attempt: Attempt, answer: HttpAnswer): Promise<S3Reply> {
    try {
      const text = await readText(answer, attempt.watchdog);
      if (answer.status >= 300) throw failureOfAnswer(answer, text, this.#destination.serverNow);
      refuseHiddenError(call.verb, text);
      return { status: answer.status, headers: answer.headers, text };
    } finally {
      attempt.release();
    }
  }

  /** Resolves when a 2xx answer's headers are there; breaks after that are the reader's business. */
  async open(call: S3Call, state: RetryState): Promise<S3Stream> {
    return this.#retrying(call, state, async (attempt, answer) => {
      if (answer.status < 300) return openStream(attempt, answer);
      try {
        const text = await readText(answer, attempt.watchdog);
        throw failureOfAnswer(answer, text, this.#destination.serverNow);
      } finally {
        attempt.release();
      }
    });
  }

  /** What a retry can do about an error of this call, after trying to put its cause right. */
  async decide(call: S3Call, error: unknown): Promise<RetryDecision> {
    const failure = failureOfBreak(error);
    if (failure === undefined) return { kind: "never" };
    if (failure.status === 404 && call.verb === "HEAD") return { kind: "never" };
    if (await this.#destination.correct(failure)) return { kind: "corrected" };
    return retryDecision(failure, call.options?.retryForbidden ?? call.retryForbidden);
  }

  /** The object's HEAD; undefined on 404. */
  async head(key: ObjectKey, options?: CallOptions): Promise<ObjectInfo | undefined> {
    const call = { verb: "HEAD", method: "HEAD", key, sealed: key, options } as const;
    try {
      return await this.ask(call, ({ headers }) => objectInfoOf(key, headers, lengthOf(headers)));
    } catch (error) {
      if (failureOf(error)?.status === 404) return undefined;
      throw error;
    }
  }

  /** Deletes the object; absent is fine. `headers` are conditions. */
  async deleteObject(
    key: ObjectKey,
    options?: CallOptions,
    headers?: S3Call["headers"],
  ): Promise<void> {
    try {
      await this.request({ verb: "DELETE", method: "DELETE", key, headers, options });
    } catch (error) {
      if (failureOf(error)?.code !== "NoSuchKey") throw error;
    }
  }

  /** Whether `close` was called. */
  get closing(): boolean {
    return this.#closing.signal.aborted;
  }

  /** Ends connections; calls under way reject with EINTR. */
  async close(): Promise<void> {
    this.#closing.abort();
    await this.#transport.close();
  }

  async #retrying<T>(
    call: S3Call,
    state: RetryState,
    use: (attempt: Attempt, answer: HttpAnswer) => Promise<T> | T,
  ): Promise<T> {
    const action = `Cannot ${call.verb}${call.key === undefined ? "" : ` "${call.key}"`}`;
    const signal = call.options?.signal;
    const givenUp = (): boolean => (signal?.aborted ?? false) || this.closing;
    const sealed = this.customerKey?.attempt(call);
    let reason: S3Failure | undefined;
    for (;;) {
      const isCut = state.isCutShort;
      const sent = sealed?.dress(call) ?? call;
      try {
        const result = await this.#attempt(sent, state.deadline, use);
        sealed?.succeeded();
        return result;
      } catch (error) {
        if (givenUp()) throw abortedError(action, reason);
        // a failing source (its FsError) is not S3's fault
        if (error instanceof FsError) throw error;
        const failure = await this.#withReason(sent, failureOfBreak(error), state);
        const opinion =
          failure && (sealed ? sealed.refused(failure) : encryptedObject(call, failure));
        if (opinion instanceof S3Failure) throw toFsError(opinion, action);
        if (opinion === "again" && (await state.again({ kind: "corrected" }, signal))) continue;
        // that there was no time left for an answer says less than what went wrong before
        if (!isCut || failure?.code !== "Timeout") reason = failure;
        const decision = await this.decide(call, failure ?? error);
        if (await state.again(decision, signal)) continue;
        if (givenUp()) throw abortedError(action, reason);
        throw toFsError(reason ?? failure ?? error, action);
      }
    }
  }

  /** A HEAD is refused without a reason: what a GET of the same object says tells a key from expired credentials. */
  async #withReason(
    call: S3Call,
    failure: S3Failure | undefined,
    { deadline }: RetryState,
  ): Promise<S3Failure | undefined> {
    const isBare = call.verb === "HEAD" && failure?.code === "" && failure.region === undefined;
    const status = failure?.status;
    if (!isBare || !(status === 400 || (status === 403 && this.customerKey))) return failure;
    const headers = { ...call.headers, range: "bytes=0-0" };
    const get = { ...call, verb: "GET", method: "GET", headers } as const;
    try {
      return await this.#attempt(get, deadline, async (attempt, answer) => {
        if (answer.status >= 300) await this.#whole(get, attempt, answer);
        else openStream(attempt, answer).release(false);
        return failure;
      });
    } catch (error) {
      const told = failureOfBreak(error);
      return told?.status === 400 || told?.status === 403 ? told : failure;
    }
  }

  async #attempt<T>(
    call: S3Call,
    deadline: Deadline,
    use: (attempt: Attempt, answer: HttpAnswer) => Promise<T> | T,
  ): Promise<T> {
    const background = call.options?.background ?? backgroundVerbs.has(call.verb);
    const watchdog = new Watchdog([call.options?.signal, this.#closing.signal]);
    const queuedMs = this.clock.now();
    // what nobody waits for may wait in the queue for as long as it takes
    if (!background) watchdog.arm(deadline.remainingMs);
    const slot = lightVerbs.has(call.verb)
      ? await this.#lightQueue.acquire(false, watchdog.signal)
      : await this.#queue.acquire(background, watchdog.signal);
    if (slot === undefined) {
      watchdog.dispose();
      throw watchdog.signal.reason;
    }
    const startedMs = this.clock.now();
    if (background) deadline.exclude(startedMs - queuedMs);
    const attempt = new Attempt(call, watchdog, deadline, startedMs, slot);
    try {
      return await use(attempt, await this.#exchange(attempt));
    } catch (error) {
      attempt.release();
      throw error;
    }
  }

  async #exchange(attempt: Attempt): Promise<HttpAnswer> {
    const { call, watchdog, deadline, startedMs } = attempt;
    const upload = call.upload && new UploadBody(call.upload, watchdog);
    watchdog.arm(attempt.silenceMs);
    let status: number | string = "-";
    try {
      const signed = await watchdog.guard(this.#destination.sign(call, upload));
      this.requests[call.verb] += 1;
      const request = { ...signed, body: upload ?? call.text };
      const answer = await this.#transport.send(request, watchdog.signal);
      this.serverHeader = answer.headers["server"] ?? this.serverHeader;
      this.serverDate = Date.parse(answer.headers["date"] ?? "") || this.serverDate;
      status = answer.status;
      this.#note(answer.status < 500 && !uselessStatuses.has(answer.status));
      return answer;
    } catch (error) {
      const failure = failureOfBreak(error);
      status = failure?.code ?? "error";
      const { aborted, reason } = watchdog.signal;
      const isWithdrawn = aborted && !(reason instanceof S3Failure);
      if (!isWithdrawn && upload?.sourceError === undefined) this.#note(false);
      throw upload?.sourceError ?? error;
    } finally {
      if (upload !== undefined) {
        deadline.exclude(upload.movingMs);
        this.sentBytes += upload.movedBytes;
      }
      const range = call.headers?.["range"] ?? "";
      const byStatus = (this.answers[call.verb] ??= {});
      byStatus[status] = (byStatus[status] ?? 0) + 1;
      const ms = Math.round(this.clock.now() - startedMs);
      trace("%s %s %s %s %d ms", call.verb, call.key ?? "", range, status, ms);
    }
  }

  #note(isUsable: boolean): void {
    this.failingSinceMs = isUsable ? undefined : (this.failingSinceMs ?? Date.now());
  }
}

function lengthOf(headers: Readonly<Record<string, string>>): number {
  const length = Number(headers["content-length"] ?? Number.NaN);
  if (Number.isSafeInteger(length)) return length;
  throw new S3Failure({ code: "BadAnswer", message: "answer without Content-Length" });
}

async function readText(answer: HttpAnswer, watchdog: Watchdog): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of answer.body) {
    watchdog.touch();
    bytes += chunk.length;
    if (bytes > maxTextBytes)
      throw new S3Failure({ code: "BadAnswer", message: "answer too long" });
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}
