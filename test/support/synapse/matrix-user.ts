// The requests that one user makes to a homeserver.
import { createHmac } from "node:crypto";

/** A medium, as in mxc://server/id. */
export interface Medium {
  readonly server: string;
  readonly id: string;
}

/** Takes an mxc URI apart. */
export function parseMxc(uri: string): Medium {
  const [server = "", id = ""] = uri.replace("mxc://", "").split("/");
  return { server, id };
}

export interface ThumbnailSize {
  readonly width: number;
  readonly height: number;
  readonly method: "crop" | "scale";
  readonly animated?: boolean;
}

/** Rejects with what the server said unless the status is one of `expected`. */
export async function expectStatus(answer: Response, ...expected: number[]): Promise<Response> {
  if (expected.includes(answer.status)) return answer;
  throw new Error(`${answer.url} answered ${answer.status}: ${await answer.text()}`);
}

/** Registers by the shared secret at a homeserver's URL. */
export async function registerUser(
  base: string,
  secret: string,
  name: string,
  isAdmin: boolean,
): Promise<MatrixUser> {
  const url = `${base}/_synapse/admin/v1/register`;
  const { nonce } = (await (await fetch(url)).json()) as { nonce: string };
  const signed = [nonce, name, "password", isAdmin ? "admin" : "notadmin"].join("\0");
  const mac = createHmac("sha1", secret).update(signed).digest("hex");
  const body = { nonce, username: name, password: "password", admin: isAdmin, mac };
  const answer = await fetch(url, { method: "POST", body: JSON.stringify(body) });
  const told = (await (await expectStatus(answer, 200)).json()) as {
    access_token: string;
    user_id: string;
  };
  return new MatrixUser(base, told.access_token, told.user_id);
}

export class MatrixUser {
  /** `@name:server`. */
  readonly id: string;
  /** The access token. */
  readonly token: string;
  readonly #base: string;

  constructor(base: string, token: string, id = "") {
    this.#base = base;
    this.token = token;
    this.id = id;
  }

  /** Any request as this user; the answer may have any status. */
  async request(path: string, init: RequestInit = {}): Promise<Response> {
    const headers = new Headers(init.headers);
    headers.set("Authorization", `Bearer ${this.token}`);
    return fetch(this.#base + path, { ...init, headers });
  }

  /** A request with a JSON body; resolves to the answer's JSON, and rejects unless it is of 200. */
  async call<Told = unknown>(method: string, path: string, body?: unknown): Promise<Told> {
    const init = body === undefined ? { method } : { method, body: JSON.stringify(body) };
    return (await (await expectStatus(await this.request(path, init), 200)).json()) as Told;
  }

  async upload(content: Uint8Array, type = "application/octet-stream"): Promise<Medium> {
    const answer = await this.tryUpload(content, type);
    const told = (await (await expectStatus(answer, 200)).json()) as { content_uri: string };
    return parseMxc(told.content_uri);
  }

  /** Like upload(), but the answer may have any status. */
  async tryUpload(content: Uint8Array, type = "application/octet-stream"): Promise<Response> {
    return this.request("/_matrix/media/v3/upload?filename=a.file", {
      method: "POST",
      headers: { "Content-Type": type },
      body: new Uint8Array(content),
    });
  }

  async download(medium: Medium): Promise<Buffer> {
    const answer = await expectStatus(await this.tryDownload(medium), 200);
    return Buffer.from(await answer.arrayBuffer());
  }

  /** Like download(), but the answer may have any status. */
  async tryDownload(
    medium: Medium,
    query: Readonly<Record<string, string>> = {},
    init: RequestInit = {},
  ): Promise<Response> {
    const asked = new URLSearchParams(query).toString();
    const path = `/_matrix/client/v1/media/download/${medium.server}/${medium.id}`;
    return this.request(asked === "" ? path : `${path}?${asked}`, init);
  }

  async thumbnail(medium: Medium, size: ThumbnailSize): Promise<Buffer> {
    const answer = await expectStatus(await this.tryThumbnail(medium, size), 200);
    return Buffer.from(await answer.arrayBuffer());
  }

  /** Like thumbnail(), but the answer may have any status. */
  async tryThumbnail(medium: Medium, size: ThumbnailSize): Promise<Response> {
    const asked = new URLSearchParams();
    for (const [name, value] of Object.entries(size)) asked.set(name, String(value));
    const path = `/_matrix/client/v1/media/thumbnail/${medium.server}/${medium.id}`;
    return this.request(`${path}?${asked.toString()}`);
  }
}
