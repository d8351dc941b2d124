// HTTP for dockerd on a unix socket. A request that makes no sense costs an answer, no more.
import { chmod, rm } from "node:fs/promises";
import { type IncomingMessage, type Server, type ServerResponse, createServer } from "node:http";
import { connect } from "node:net";
import { dirname } from "node:path";
import { makeDirectory } from "../daemon/make-directory.ts";
import { StartError } from "../daemon/start-error.ts";
import { log } from "../log.ts";
import { OptionError } from "../options/option-error.ts";
import { type VolumeCalls, answers, parseBody } from "./volume-protocol.ts";

/** Where dockerd finds us: a path, or a socket that systemd has opened. */
export type ListeningPlace = { readonly path: string } | { readonly fd: number };

export interface VolumeServer {
  /** Takes no new connection, and removes the socket unless it is systemd's: a dead one makes `docker volume ls` take 30 s. */
  close(): Promise<void>;
}

const MAX_BODY = 1024 * 1024;

/** Serves calls at a place; rejects with StartError when another plugin does so already. */
export async function serveVolumes(
  calls: VolumeCalls,
  place: ListeningPlace,
): Promise<VolumeServer> {
  // Docker 20.10 sends an empty Host; a pooled connection may be quiet for days
  const server = createServer(
    { requireHostHeader: false, keepAliveTimeout: 0, requestTimeout: 0 },
    (request, response) => void answer(calls, request, response),
  );
  if ("path" in place) await claim(place.path);
  await listen(server, place);
  if ("path" in place) await chmod(place.path, 0o600);
  return {
    close: async () => {
      server.close();
      server.closeAllConnections();
      if ("path" in place) await rm(place.path, { force: true });
    },
  };
}

// never rejects
async function answer(
  calls: VolumeCalls,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { url = "/" } = request;
  let status = 200;
  let reply: object;
  const started = Date.now();
  try {
    const handler = answers.get(url);
    if (handler === undefined) {
      status = 404;
      throw new OptionError(`Cannot answer ${url}: this is a plugin for volumes`);
    }
    reply = { ...(await handler(calls, parseBody(await bodyOf(request)))), Err: "" };
  } catch (error) {
    if (status === 200) status = 500;
    reply = { Err: oneLine(error) };
  }
  log.debug("%s %d in %d ms", url, status, Date.now() - started);
  const body = JSON.stringify(reply);
  const type = "application/vnd.docker.plugins.v1.1+json";
  response.on("error", () => undefined);
  response.writeHead(status, { "Content-Type": type, "Content-Length": Buffer.byteLength(body) });
  response.end(body);
}

// what is told reaches the user's terminal
function oneLine(error: unknown): string {
  const isTold = error instanceof OptionError || error instanceof StartError;
  if (!isTold) log.error("%s", error instanceof Error ? error.stack : error);
  const message = error instanceof Error ? error.message : String(error);
  return (isTold ? message : `this is a bug of pailfs: ${message}`).replaceAll(/\s*\n\s*/g, " ");
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length;
    // read to its end all the same: who still writes does not hear
    if (length <= MAX_BODY) chunks.push(chunk);
  }
  if (length > MAX_BODY) throw new OptionError("Cannot read the request: it is too long");
  return Buffer.concat(chunks).toString("utf8");
}

/** Makes room for a socket: one that nobody listens at is removed. */
async function claim(path: string): Promise<void> {
  await makeDirectory(dirname(path), 0o755);
  const isServed = await new Promise<boolean>((resolve) => {
    const probe = connect(path, () => {
      probe.destroy();
      resolve(true);
    });
    probe.once("error", () => resolve(false));
  });
  if (isServed) {
    throw new StartError(
      "configuration",
      `Cannot listen at ${path}: another plugin does; end that one, or choose another place with --socket`,
    );
  }
  await rm(path, { force: true }).catch((error: unknown) => {
    throw new StartError("credentials", `Cannot remove ${path}: ${(error as Error).message}`);
  });
}

async function listen(server: Server, place: ListeningPlace): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error) =>
      reject(
        new StartError(
          "configuration",
          `Cannot listen at ${"path" in place ? place.path : "the socket of systemd"}: ${error.message}`,
        ),
      ),
    );
    server.listen(place, resolve);
  });
}
