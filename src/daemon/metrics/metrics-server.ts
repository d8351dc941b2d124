// Answers Prometheus and health checks over HTTP. Loaded only where the option `metrics` asks for it.
import { lstat, unlink } from "node:fs/promises";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { connect, type ListenOptions } from "node:net";
import type { ListenAddress } from "../../options/listen-type.ts";
import { StartError } from "../start-error.ts";
import type { DaemonStatus } from "../status.ts";
import { collectMetrics } from "./collect-metrics.ts";
import { formatMetrics, METRICS_TYPE } from "./text-format.ts";

export interface MetricsServer {
  /** Ends it, with the connections that are open; never rejects. */
  close(): Promise<void>;
}

interface Answer {
  readonly code: number;
  readonly type: string;
  readonly text: string;
}

/**
 * Listens at `address`; `status` is undefined before the mount is there. Rejects with StartError where that cannot be, such
 * as a port that is taken.
 */
export async function serveMetrics(
  address: ListenAddress,
  status: () => DaemonStatus | undefined,
): Promise<MetricsServer> {
  const server = createServer((request, response) => respond(request, response, status));
  // who asks sends a line and some headers; one that hangs is not to hold a socket for minutes
  server.requestTimeout = 10_000;
  server.headersTimeout = 10_000;
  try {
    await listen(server, address);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new StartError(
      "configuration",
      `Cannot serve metrics at "${describe(address)}": ${reason}; choose another place with the option metrics`,
      { cause: error },
    );
  }
  // it is the mount that keeps the process alive
  server.unref();
  return {
    close: async () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
    },
  };
}

function respond(
  request: IncomingMessage,
  response: ServerResponse,
  status: () => DaemonStatus | undefined,
): void {
  const { code, type, text } = answer(request, status);
  response.writeHead(code, {
    "content-type": type,
    "content-length": Buffer.byteLength(text),
    "cache-control": "no-store",
    ...(code === 405 ? { allow: "GET, HEAD" } : {}),
  });
  response.end(request.method === "HEAD" ? undefined : text);
}

function answer({ method, url }: IncomingMessage, status: () => DaemonStatus | undefined): Answer {
  if (method !== "GET" && method !== "HEAD") return plain(405, "want GET");
  const [path] = (url ?? "").split("?", 1);
  switch (path ?? "") {
    case "/metrics": {
      const now = status();
      if (now === undefined) return plain(503, "not mounted yet");
      return {
        code: 200,
        type: METRICS_TYPE,
        text: formatMetrics(collectMetrics(now, Date.now())),
      };
    }
    case "/healthz":
      return health(status()?.phase === "serving", "not serving");
    case "/readyz": {
      const now = status();
      if (now?.phase !== "serving") return health(false, "not serving");
      return health(now.failingSinceMs === undefined, "S3 gives no answer of use");
    }
    default:
      return plain(404, "want /metrics, /healthz or /readyz");
  }
}

function health(isWell: boolean, otherwise: string): Answer {
  return isWell ? plain(200, "ok") : plain(503, otherwise);
}

function plain(code: number, text: string): Answer {
  return { code, type: "text/plain; charset=utf-8", text: `${text}\n` };
}

async function listen(server: Server, address: ListenAddress): Promise<void> {
  try {
    await listenOnce(server, address);
  } catch (error) {
    const isTaken = error instanceof Error && "code" in error && error.code === "EADDRINUSE";
    if (!isTaken || !("path" in address) || !(await isDead(address.path))) throw error;
    // left by a daemon that was killed
    await unlink(address.path);
    await listenOnce(server, address);
  }
}

async function listenOnce(server: Server, address: ListenOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(address, () => {
      server.off("error", reject);
      resolve();
    });
  });
}

/** Whether it is a socket that refuses connections; other files do as well. */
async function isDead(path: string): Promise<boolean> {
  if (!(await lstat(path)).isSocket()) return false;
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once("connect", () => {
      socket.destroy();
      resolve(false);
    });
    socket.once("error", (error: NodeJS.ErrnoException) => resolve(error.code === "ECONNREFUSED"));
  });
}

function describe(address: ListenAddress): string {
  if ("path" in address) return `unix:${address.path}`;
  const { host, port } = address;
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}
