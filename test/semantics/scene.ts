// Where the paragraphs of docs/SEMANTICS.md are proved; each test has its paragraph's heading (headings.test.ts compares).
import { createHash } from "node:crypto";
import { afterAll, afterEach, beforeAll, describe } from "vitest";
import type { UploadSource } from "../../src/s3/object-store.ts";
import { S3ObjectStore } from "../../src/s3/s3-object-store.ts";
import { startCore, type TestCore } from "../support/core.ts";
import { testLogin } from "../support/loopback-s3/loopback-s3.ts";
import { Agent } from "../support/mount/agent.ts";
import { type RealMount, startRealMount } from "../support/real-mount.ts";
import { asKey, bytesOf } from "../support/s3-store.ts";

/** ESTALE, which Node has no name for. */
export const stale = { errno: -116 };

/** A mount that the paragraphs of one file share, its bucket as others see it, and someone who makes system calls. */
export interface Scene {
  readonly mount: RealMount;
  readonly agent: Agent;
  /** A path on the mount. */
  readonly at: (name: string) => string;
  /** Writes an object past the mount. */
  readonly put: (key: string, text: string) => Promise<void>;
  /** The text of an object; undefined: there is none. */
  readonly get: (key: string) => Promise<string | undefined>;
  readonly keys: (prefix?: string) => Promise<string[]>;
  /** Returns when the bucket has everything. */
  readonly flush: () => Promise<void>;
  readonly fault: (fault: object) => Promise<void>;
  readonly clearFaults: () => Promise<void>;
}

/** A scene of its own, and how to end it. */
export async function startScene(
  ...options: string[]
): Promise<{ readonly scene: Scene; readonly stop: () => Promise<void> }> {
  const mount = await startRealMount(...options);
  const store = storeOf(mount);
  const scene = sceneOf(mount, store);
  const stop = async (): Promise<void> => {
    await scene.agent.stop();
    await store.close();
    await mount.stop();
  };
  return { scene, stop };
}

/** Runs the paragraphs on a real mount, with and without passthrough. */
export function onMounts(options: readonly string[], tests: (scene: () => Scene) => void): void {
  describe.each(["auto", "off"])("passthrough %s", (passthrough) => {
    let scene: Scene | undefined;
    let stop = async (): Promise<void> => {};
    beforeAll(async () => {
      const all = [`--passthrough=${passthrough}`, "--allow-other", ...options];
      ({ scene, stop } = await startScene(...all));
    });
    afterEach(async () => {
      await scene?.clearFaults();
    });
    afterAll(async () => stop());
    tests(() => {
      if (!scene) throw new Error("There is no mount");
      return scene;
    });
  });
}

const running: TestCore[] = [];

/** A core in this process, for paragraphs that need no kernel; ends with the test. */
export async function coreOf(options: Record<string, string> = {}): Promise<TestCore> {
  const core = await startCore(options);
  running.push(core);
  return core;
}

afterEach(async () => {
  for (const core of running.splice(0)) await core.close();
});

function storeOf(mount: RealMount): S3ObjectStore {
  const { endpoint, bucket } = mount;
  return new S3ObjectStore({
    endpoint,
    bucket,
    credentials: async () => testLogin,
    deadlineMs: 5000,
  });
}

function sceneOf(mount: RealMount, store: S3ObjectStore): Scene {
  return {
    mount,
    agent: new Agent(),
    at: (name) => `${mount.mountpoint}/${name}`,
    put: async (key, text) => void (await store.putObject(asKey(key), textSource(text))),
    get: async (key) => {
      if ((await store.headObject(asKey(key))) === undefined) return undefined;
      return (await bytesOf(await store.getObject(asKey(key)))).toString();
    },
    keys: async (prefix = "") => {
      const found = (await mount.admin(`keys?prefix=${encodeURIComponent(prefix)}`)) as {
        key: string;
      }[];
      return found.map(({ key }) => key);
    },
    flush: async () => void (await mount.pailfs("flush", mount.mountpoint)),
    fault: async (fault) => void (await mount.admin("fault", fault)),
    clearFaults: async () => void (await mount.admin("clear-faults", {})),
  };
}

function textSource(text: string): UploadSource {
  const bytes = Buffer.from(text);
  return {
    size: bytes.length,
    async *read({ start, end }) {
      yield bytes.subarray(start, end);
    },
    md5: async ({ start, end }) => createHash("md5").update(bytes.subarray(start, end)).digest(),
  };
}
