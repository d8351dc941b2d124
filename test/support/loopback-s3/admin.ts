// The same controls over HTTP, for a server that runs as a process of its own.
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Fault } from "./faults.ts";
import type { LoopbackS3, LoopbackSettings } from "./loopback-s3.ts";

interface SyntheticRequest {
  readonly prefix: string;
  readonly count: number;
  readonly size: number;
  readonly sharded?: boolean;
}

/**
 * GET counts, log, keys?prefix= (or keys?names), settings; POST reset, settings (JSON of LoopbackSettings' fields), fault
 * (JSON of a Fault), clear-faults, synthetic ({prefix, count, size, sharded}), synapse ({count}: keys of a media store;
 * tells every 1000th), ramp ({prefix: key, count: seed, size}), delete ({prefix}).
 */
export async function answerAdmin(
  loopback: LoopbackS3,
  http: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const url = new URL(http.url ?? "/", "http://loopback");
  const name = url.pathname.slice("/_admin/".length);
  const chunks: Buffer[] = [];
  for await (const chunk of http as AsyncIterable<Buffer>) chunks.push(chunk);
  const text = Buffer.concat(chunks).toString();
  const value: unknown = text === "" ? {} : JSON.parse(text);
  const result = http.method === "POST" ? act(loopback, name, value) : tell(loopback, name, url);
  const body = JSON.stringify(result ?? { error: `no such control: ${name}` });
  response.writeHead(result === undefined ? 404 : 200, { "Content-Type": "application/json" });
  response.end(body);
}

function tell(loopback: LoopbackS3, name: string, url: URL): unknown {
  const prefix = url.searchParams.get("prefix") ?? "";
  const { objects } = loopback.bucket;
  switch (name) {
    case "counts":
      return { ...loopback.counts, total: loopback.count(), connections: loopback.connections };
    case "log":
      return loopback.log;
    case "keys":
      if (url.searchParams.has("names")) return objects.keys;
      return objects.keys
        .filter((key) => key.startsWith(prefix))
        .map((key) => ({ key, size: objects.get(key)?.size, etag: objects.get(key)?.etag }));
    case "settings":
      return loopback.settings;
    default:
      return undefined;
  }
}

function act(loopback: LoopbackS3, name: string, value: unknown): unknown {
  const { prefix, count, size, sharded } = value as SyntheticRequest;
  switch (name) {
    case "reset":
      loopback.reset();
      break;
    case "settings":
      Object.assign(loopback.settings, value as Partial<LoopbackSettings>);
      break;
    case "fault":
      loopback.faults.add(value as Fault);
      break;
    case "clear-faults":
      loopback.faults.clear();
      break;
    case "synthetic":
      loopback.putSynthetic(prefix, count, size, sharded);
      break;
    case "synapse":
      return loopback.putSynapse(count);
    case "ramp":
      loopback.putRamp(prefix, size, count);
      break;
    case "delete":
      loopback.bucket.deleteBelow(prefix);
      break;
    default:
      return undefined;
  }
  return { ok: true };
}
