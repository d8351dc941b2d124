// What Synapse asks on the network besides S3: a homeserver that breaks off, and a web site.
import type { IncomingMessage, RequestListener, Server, ServerResponse } from "node:http";
import { createServer } from "node:http";
import { createServer as createTlsServer } from "node:https";
import { freePort } from "../free-port.ts";
import { tlsCertificate, tlsKey } from "../tls-identity.ts";

/** A server on 127.0.0.1 for a test. */
export interface Peer {
  /** `host:port`. */
  readonly name: string;
  /** Requests so far. */
  asked(): number;
  stop(): Promise<void>;
}

async function serve(server: Server, host: string): Promise<Peer> {
  const port = await freePort();
  let asked = 0;
  server.on("request", () => asked++);
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", resolve);
  });
  return {
    name: `${host}:${port}`,
    asked: () => asked,
    stop: async () => {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
}

/** A homeserver that sends the first `bytes` of any medium that is asked for, and then breaks the connection. */
export async function startBrokenHomeserver(bytes: number): Promise<Peer> {
  const listener: RequestListener = (http, response) => {
    if (!http.url?.startsWith("/_matrix/federation/v1/media/download/")) {
      response.writeHead(404, { "Content-Type": "application/json" });
      response.end('{"errcode":"M_UNRECOGNIZED","error":"not here"}');
      return;
    }
    response.writeHead(200, { "Content-Type": "multipart/mixed; boundary=part" });
    response.write("--part\r\nContent-Type: application/json\r\n\r\n{}\r\n--part\r\n");
    response.write("Content-Type: application/octet-stream\r\n\r\n");
    response.write(Buffer.alloc(bytes, "x"), () => response.destroy());
  };
  const tls = { key: tlsKey, cert: tlsCertificate };
  return serve(createTlsServer(tls, listener), "localhost");
}

/** A web site: content and type by path, whatever the query; a text may say ORIGIN for the site's own URL. */
export async function startWebSite(
  pages: Readonly<Record<string, { readonly content: string | Buffer; readonly type: string }>>,
): Promise<Peer> {
  const listener = (http: IncomingMessage, response: ServerResponse): void => {
    const page = pages[http.url?.replace(/\?.*/, "") ?? ""];
    if (page === undefined) {
      response.writeHead(404).end();
      return;
    }
    response.writeHead(200, { "Content-Type": page.type });
    const { content } = page;
    const origin = `http://${http.headers.host}`;
    response.end(typeof content === "string" ? content.replaceAll("ORIGIN", origin) : content);
  };
  return serve(createServer(listener), "127.0.0.1");
}
