// Where something listens: "off", a port of this host, HOST:PORT, or the path of a socket.
import { isAbsolute } from "node:path";
import { OptionError } from "./option-error.ts";
import type { OptionType } from "./option-type.ts";

/** An address of net.Server.listen(). */
export type ListenAddress =
  { readonly host: string; readonly port: number } | { readonly path: string };

const wanted =
  "want off, a port such as 9325, HOST:PORT such as 127.0.0.1:9325, or unix:/run/pailfs/metrics.sock";
const addressPattern = /^(?:(?:\[(?<v6>[\da-fA-F:.]+)\]|(?<host>[\w.-]+)):)?(?<port>\d{1,5})$/;
// sun_path has 108 bytes with its NUL (unix(7))
const MAX_SOCKET_PATH_BYTES = 107;

/** A port alone is one of 127.0.0.1, so that nobody is told who was not meant. */
export const listenType: OptionType<ListenAddress | undefined> = {
  placeholder: "off|HOST:PORT",
  alone: undefined,
  parse: (text) => {
    if (text === "off") return undefined;
    if (text.startsWith("unix:")) return { path: socketPath(text.slice("unix:".length)) };
    const { v6, host = v6 ?? "127.0.0.1", port } = addressPattern.exec(text)?.groups ?? {};
    const number = Number(port);
    if (!(number >= 1 && number <= 65_535)) throw new OptionError(wanted);
    return { host, port: number };
  },
};

function socketPath(path: string): string {
  if (!isAbsolute(path)) throw new OptionError(wanted);
  if (Buffer.byteLength(path) <= MAX_SOCKET_PATH_BYTES) return path;
  throw new OptionError(`want a path of at most ${MAX_SOCKET_PATH_BYTES} bytes after unix:`);
}
