// Runs the loopback S3 as a process: prints `listening URL` and stops on SIGTERM or SIGINT.
import { parseArgs } from "node:util";
import { LoopbackS3, testLogin } from "./loopback-s3.ts";
import type { Quirks } from "./quirks.ts";

const { values } = parseArgs({
  options: {
    port: { type: "string", default: "0" },
    bucket: { type: "string", multiple: true, default: ["bucket"] },
    dir: { type: "string" },
    latency: { type: "string", default: "0" },
    bandwidth: { type: "string", default: "0" },
    lenient: { type: "boolean", default: false },
    "access-key": { type: "string", default: testLogin.accessKeyId },
    "secret-key": { type: "string", default: testLogin.secretAccessKey },
    region: { type: "string", default: testLogin.region },
    quirks: { type: "string", default: "{}" },
  },
});

const loopback = await LoopbackS3.start({
  port: Number(values.port),
  buckets: values.bucket,
  strict: !values.lenient,
  quirks: JSON.parse(values.quirks) as Quirks,
  login: {
    accessKeyId: values["access-key"],
    secretAccessKey: values["secret-key"],
    region: values.region,
  },
  ...(values.dir === undefined ? {} : { directory: values.dir }),
});
loopback.settings.latencyMs = Number(values.latency);
loopback.settings.bandwidth = Number(values.bandwidth);
process.stdout.write(`listening ${loopback.endpoint}\n`);

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  process.once(signal, () => {
    // nothing is left to do after the listener is closed
    void loopback.close().then(() => process.exit(0));
  });
}
