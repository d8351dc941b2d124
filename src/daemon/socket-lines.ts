import type { Socket } from "node:net";

/** The lines a socket receives; `onTooLong` is called, and nothing more is read, when one exceeds `limit` characters. */
export function readLines(
  socket: Socket,
  limit: number,
  onLine: (line: string) => void,
  onTooLong: () => void,
): void {
  let pending = "";
  socket.setEncoding("utf8");
  socket.on("data", (text: string) => {
    const lines = `${pending}${text}`.split("\n");
    pending = lines.pop() ?? "";
    for (const line of lines) onLine(line);
    if (pending.length > limit) {
      pending = "";
      socket.pause();
      onTooLong();
    }
  });
}
