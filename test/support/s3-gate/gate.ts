// A proxy in front of any S3 server: it notes each request, and delays, breaks or refuses some when told to. Signatures
// stay right, because the Host header goes through as it came.
import { Agent, type IncomingMessage, type ServerResponse, createServer, request } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { S3Refusal, errorDocument } from "../loopback-s3/answer.ts";
import { Pace } from "../loopback-s3/bodies.ts";
import { type Fault, type FaultEffect, FaultPlan } from "../loopback-s3/faults.ts";
import { type LoopbackVerb, parseRequest } from "../loopback-s3/verbs.ts";

/** One request that came to the gate. */
export interface GateEntry {
  readonly verb: LoopbackVerb;
  readonly key: string;
  /** ms since the epoch. */
  readonly at: number;
  /** Of the answer; 0 while there is none. */
  status: number;
  /** Bytes of the answer's body. */
  sent: number;
  /** `broken`: the connection ended before the answer did. */
  end: "open" | "whole" | "broken";
}

/** What the gate can do to a request. */
export type GateEffect = Extract<
  FaultEffect,
  { kind: "status" | "hang" | "reset" | "lostAnswer" | "resetBody" | "slowBody" }
>;

/** A fault whose effect the gate knows. */
export type GateFault = Fault & { readonly effect: GateEffect };

/** A running proxy on 127.0.0.1. */
export class Gate {
  readonly log: GateEntry[] = [];
  readonly faults = new FaultPlan();
  /** ms before each request goes on. */
  latencyMs = 0;
  readonly #upstream: URL;
  readonly #agent = new Agent({ keepAlive: true });
  readonly #server = createServer((http, response) => {
    this.#serve(http, response).catch(() => response.destroy());
  });
  readonly #sockets = new Set<Socket>();
  #port: number;

  private constructor(upstream: string, port: number) {
    this.#upstream = new URL(upstream);
    this.#port = port;
    this.#server.keepAliveTimeout = 0;
    this.#server.on("connection", (socket: Socket) => {
      this.#sockets.add(socket);
      socket.once("close", () => this.#sockets.delete(socket));
    });
  }

  static async start(upstream: string, port: number): Promise<Gate> {
    const gate = new Gate(upstream, port);
    await gate.accept();
    return gate;
  }

  get endpoint(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** Listens (again), at the same port. */
  async accept(): Promise<void> {
    if (this.#server.listening) return;
    await new Promise<void>((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen(this.#port, "127.0.0.1", resolve);
    });
    this.#port = (this.#server.address() as AddressInfo).port;
  }

  /** Breaks all connections and refuses new ones. */
  async refuse(): Promise<void> {
    if (!this.#server.listening) return;
    const closed = new Promise((resolve) => this.#server.close(resolve));
    for (const socket of this.#sockets) socket.resetAndDestroy();
    await closed;
  }

  async #serve(http: IncomingMessage, response: ServerResponse): Promise<void> {
    const { verb, key } = parseRequest(http, new Set());
    const entry: GateEntry = { verb, key, at: Date.now(), status: 0, sent: 0, end: "open" };
    this.log.push(entry);
    response.once("close", () => {
      entry.end = response.writableFinished ? "whole" : "broken";
    });
    const effect = this.faults.take(verb, key) as GateEffect | undefined;
    if (this.latencyMs > 0) await sleep(this.latencyMs);
    switch (effect?.kind) {
      case "status":
        // the whole request is taken first, as servers do that refuse
        for await (const _ of http as AsyncIterable<Buffer>) continue;
        return refuse(response, entry, effect.status, effect.code ?? "ServiceUnavailable");
      case "hang":
        http.resume();
        return;
      case "reset":
        http.socket.resetAndDestroy();
        return;
      case "lostAnswer":
      case "resetBody":
      case "slowBody":
      case undefined:
        await this.#forward(http, response, entry, effect);
    }
  }

  async #forward(
    http: IncomingMessage,
    response: ServerResponse,
    entry: GateEntry,
    effect: GateEffect | undefined,
  ): Promise<void> {
    const { connection: _, expect: __, ...headers } = http.headers;
    const { hostname, port } = this.#upstream;
    const onward = request({
      hostname,
      port,
      method: http.method,
      path: http.url,
      headers,
      agent: this.#agent,
    });
    response.once("close", () => onward.destroy());
    const answered = new Promise<IncomingMessage>((resolve, reject) => {
      onward.once("response", resolve);
      onward.once("error", reject);
    });
    // a server may answer before it has read all
    pipeline(http, onward).catch(() => onward.destroy());
    const answer = await answered;
    entry.status = answer.statusCode ?? 0;
    if (effect?.kind === "lostAnswer") {
      answer.resume();
      http.socket.resetAndDestroy();
      return;
    }
    const { connection: ___, ...told } = answer.headers;
    response.writeHead(entry.status, told);
    await pipeline(answer, meter(entry, http.socket, effect), response);
  }
}

function refuse(response: ServerResponse, entry: GateEntry, status: number, code: string): void {
  entry.status = status;
  const body = errorDocument(new S3Refusal(status, code), `/${entry.key}`, "gate");
  response.writeHead(status, { "Content-Type": "application/xml" });
  response.end(entry.verb.startsWith("HEAD") ? "" : body);
}

// counts what goes through, at the pace and up to the point that the effect says
function meter(entry: GateEntry, socket: Socket, effect: GateEffect | undefined): Transform {
  const pace = new Pace(effect?.kind === "slowBody" ? effect.bytesPerSecond : 0);
  const limit = effect?.kind === "resetBody" ? effect.afterBytes : Infinity;
  return new Transform({
    // a slow body comes in small pieces
    highWaterMark: 16 * 1024,
    transform(chunk: Buffer, _, done) {
      const part = chunk.subarray(0, limit - entry.sent);
      entry.sent += part.length;
      this.push(part);
      if (entry.sent >= limit) {
        // what was pushed must leave first; nothing comes after it
        setImmediate(() => socket.resetAndDestroy());
        return;
      }
      pace.passed(part.length).then(() => done(), done);
    },
  });
}
