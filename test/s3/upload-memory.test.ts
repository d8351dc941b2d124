// The memory of an upload is used again while its bytes leave: a server that takes its time must get the right ones.
import { createHash, randomBytes } from "node:crypto";
import { open } from "node:fs/promises";
import { createServer, type RequestListener } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { withDir } from "tmp-promise";
import { expect, test } from "vitest";
import { fileUploadSource } from "../../src/s3/file-upload-source.ts";
import { S3ObjectStore } from "../../src/s3/s3-object-store.ts";
import { asKey } from "../support/s3-store.ts";
import { tlsCertificate, tlsKey } from "../support/tls-identity.ts";

const data = randomBytes(9_000_001);

test.each(["http", "https"])("a slow reader gets the file's bytes over %s", async (scheme) => {
  const bodies: Buffer[] = [];
  const take: RequestListener = (request, response) => {
    const read = async (): Promise<void> => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) {
        chunks.push(chunk as Buffer);
        if (chunks.length % 8 === 0) await delay(2);
      }
      const body = Buffer.concat(chunks);
      bodies.push(body);
      const etag = createHash("md5").update(body).digest("hex");
      response.writeHead(200, { etag: `"${etag}"` }).end();
    };
    void read();
  };
  const isSafe = scheme === "https";
  const server = isSafe
    ? createTlsServer({ key: tlsKey, cert: tlsCertificate }, take)
    : createServer(take);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const store = new S3ObjectStore({
    bucket: "b",
    endpoint: `${scheme}://127.0.0.1:${(server.address() as AddressInfo).port}`,
    credentials: async () => ({ accessKeyId: "k", secretAccessKey: "s" }),
    ca: tlsCertificate,
  });
  await withDir(
    async ({ path }) => {
      const file = await open(join(path, "f"), "w+");
      await file.writeFile(data);
      const source = fileUploadSource(file.fd, data.length);
      await Promise.all([1, 2, 3].map((n) => store.putObject(asKey(`key${n}`), source)));
      await file.close();
    },
    { unsafeCleanup: true },
  );
  expect(bodies.map((body) => body.equals(data))).toEqual([true, true, true]);
  await store.close();
  await new Promise((resolve) => server.close(resolve));
});
