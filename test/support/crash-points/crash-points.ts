// Loaded into a daemon with `node --import`: wraps what the daemon is made of, so that it kills itself at a named point
// when a test asks for it. The product knows nothing of it.
import { readFileSync, rmSync, writeFileSync } from "node:fs";

/** What a test writes into the file named by PAILFS_CRASH_FILE to arm a point. */
export interface ArmedPoint {
  readonly point: string;
  /** Passed so many times before; 1 is the first. */
  readonly nth: number;
}

type Method = (this: unknown, ...given: unknown[]) => unknown;
type Prototype = Record<string, Method>;

const file = process.env["PAILFS_CRASH_FILE"];
const seen = new Map<string, number>();

/** Ends the process with SIGKILL when this point is armed; leaves a file beside the order that says so. */
function pass(point: string): void {
  if (file === undefined) return;
  let armed: ArmedPoint;
  try {
    armed = JSON.parse(readFileSync(file, "utf8")) as ArmedPoint;
  } catch {
    seen.clear();
    return;
  }
  if (armed.point !== point) return;
  const count = (seen.get(point) ?? 0) + 1;
  seen.set(point, count);
  if (count < armed.nth) return;
  writeFileSync(`${file}.fired`, point);
  rmSync(file);
  process.kill(process.pid, "SIGKILL");
}

/** Points NAME.before, NAME.during (asked for, not answered) and NAME.after around a method that answers a promise. */
function wrap(prototype: Prototype, method: string, nameOf: (given: unknown[]) => string): void {
  const original = prototype[method];
  if (original === undefined) throw new Error(`no method ${method} to wrap`);
  prototype[method] = async function wrapped(this: unknown, ...given: unknown[]) {
    const name = nameOf(given);
    pass(`${name}.before`);
    const result = original.apply(this, given) as Promise<unknown>;
    // twice: the journal collects callers for one turn of the loop
    setImmediate(() => setImmediate(() => pass(`${name}.during`)));
    const value = await result;
    pass(`${name}.after`);
    return value;
  };
}

interface ChangeParts {
  readonly names?: readonly unknown[];
  readonly attributes?: readonly unknown[];
  readonly moveAttributes?: readonly unknown[];
  readonly enqueue?: readonly unknown[];
  readonly dequeue?: readonly unknown[];
}

/** `commit`: a promise to a caller; `complete`: what the bucket has; `record`: the id of a multipart upload. */
function kindOfChange([change]: unknown[]): string {
  const { names, attributes, moveAttributes, enqueue, dequeue } = change as ChangeParts;
  if (names === undefined && enqueue !== undefined && dequeue === undefined) return "record";
  const isPromise = attributes ?? moveAttributes ?? ((enqueue?.length ?? 0) > 0 || undefined);
  return isPromise === undefined && (dequeue?.length ?? 0) > 0 ? "complete" : "commit";
}

async function prototypeOf(module: string, name: string): Promise<Prototype> {
  const url = new URL(`../../${module}`, import.meta.url).href;
  const loaded = (await import(url)) as Record<string, { prototype: Prototype }>;
  const found = loaded[name];
  if (found === undefined) throw new Error(`${module} has no ${name}`);
  return found.prototype;
}

if (file !== undefined && process.argv.includes("daemon-child")) {
  wrap(await prototypeOf("state/lmdb-mount-state.js", "LmdbMountState"), "mutate", kindOfChange);
  wrap(await prototypeOf("spool/open-staged-file.js", "OpenStagedFile"), "sync", () => "sync");
  wrap(await prototypeOf("cache/cache-directory.js", "CacheDirectory"), "adopt", () => "adopt");
  const store = await prototypeOf("s3/s3-object-store.js", "S3ObjectStore");
  const names = {
    putObject: "put",
    deleteObject: "delete",
    copyObject: "copy",
    createMultipartUpload: "create-upload",
    uploadPart: "part",
    completeMultipartUpload: "finish-upload",
  };
  for (const [method, name] of Object.entries(names)) wrap(store, method, () => name);
}
