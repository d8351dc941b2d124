// Times lookups of random names in a core without a mount that knows a whole bucket; prints one line of JSON. For
// crawling.py; needs a built tree. Usage: core_lookups.js ENDPOINT BUCKET FOLDER, with AWS_* in the environment.
import { readFile, readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { openCore } from "../../dist/daemon/mount.js";
import { commandLineOption } from "../../dist/options/given-option.js";
import { parseMountOptions } from "../../dist/options/parse-mount-options.js";

/** One name of so many is looked up. */
const EVERY = 20;

const [endpoint, bucket, folder] = process.argv.slice(2);
const context = { uid: 0, gid: 0, pid: 1, umask: 0o22, signal: new AbortController().signal };

function options() {
  const values = {
    endpoint,
    sharing: "exclusive",
    "cache-dir": join(folder, "cache"),
    "state-dir": join(folder, "state"),
  };
  const given = Object.entries(values).map(([name, value]) => commandLineOption(name, value));
  const place = { variables: process.env, directory: folder, uid: 0, gid: 0 };
  return parseMountOptions({ source: bucket, mountpoint: join(folder, "mnt"), given }, place)
    .options;
}

/** Paths of one file in EVERY, in no order, and how many files there are. */
async function sample(fileSystem) {
  const paths = [];
  const directories = ["/"];
  let seen = 0;
  for (let path = directories.pop(); path !== undefined; path = directories.pop()) {
    const handle = await fileSystem.opendir(path, context);
    for (let at = 0; ;) {
      const entries = await handle.read(at, context);
      if (entries.length === 0) break;
      at += entries.length;
      for (const { name, stat: attributes } of entries) {
        const full = path === "/" ? `/${name}` : `${path}/${name}`;
        if ((attributes.mode & 0o170000) === 0o040000) directories.push(full);
        else if ((seen += 1) % EVERY === 0) paths.push(full);
      }
    }
    handle.release();
  }
  for (let i = paths.length - 1; i > 0; i -= 1) {
    const other = Math.floor(Math.random() * (i + 1));
    [paths[i], paths[other]] = [paths[other], paths[i]];
  }
  return { paths, seen };
}

/** Mean seconds of a lookup; each must be answered at once. */
function time(fileSystem, paths, isThere) {
  const started = performance.now();
  for (const path of paths) {
    const entry = fileSystem.lookup(path, context);
    if (entry instanceof Promise) throw new Error(`${path} is not answered at once`);
    if ((entry !== undefined) !== isThere) throw new Error(`${path} is wrong`);
  }
  return (performance.now() - started) / 1000 / paths.length;
}

async function indexBytes() {
  const names = await readdir(join(folder, "state"), { recursive: true });
  const index = names.find((name) => name.endsWith("index.mdb"));
  return (await stat(join(folder, "state", index))).size;
}

const core = await openCore(options());
const { fileSystem } = core;
while (!fileSystem.coverage().complete) await pause(100);
const { paths, seen } = await sample(fileSystem);
// the first ones teach the compiler
time(fileSystem, paths.slice(0, 5000), true);
const absent = paths.map((path) => `${path}x`);
const figures = {
  lookup: time(fileSystem, paths.slice(5000), true),
  miss: time(fileSystem, absent, false),
};
const status = await readFile("/proc/self/status", "utf8");
const memory = Number(/RssAnon:\s+(\d+)/.exec(status)?.[1]) / 1024;
await core.close();
process.stdout.write(
  `${JSON.stringify({ ...figures, memory, bytes: (await indexBytes()) / seen, names: seen })}\n`,
);
