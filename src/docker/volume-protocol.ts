// What dockerd asks of a volume plugin, and what it wants to hear: JSON over HTTP, one call a request.
// https://docs.docker.com/engine/extend/plugins_volume/
import { OptionError } from "../options/option-error.ts";

/** A volume as `docker volume inspect` shows it. */
export interface ShownVolume {
  readonly Name: string;
  /** Absent while it is not mounted. */
  readonly Mountpoint?: string;
  /** RFC 3339. */
  readonly CreatedAt: string;
  readonly Status?: Readonly<Record<string, unknown>>;
}

/** The calls, by the last part of their path. */
export interface VolumeCalls {
  create(name: string, options: Readonly<Record<string, string>>): Promise<void>;
  remove(name: string): Promise<void>;
  /** Resolves to the mount point. */
  mount(name: string, id: string): Promise<string>;
  unmount(name: string, id: string): Promise<void>;
  /** Resolves to "" while it is not mounted. */
  path(name: string): Promise<string>;
  get(name: string): Promise<ShownVolume>;
  list(): Promise<ShownVolume[]>;
  /** dockerd has started, or heard of us for the first time. */
  activated(): void;
}

/** A request's body: whatever JSON came, or {} where there was none. */
export type RequestBody = Readonly<Record<string, unknown>>;

type Answer = (calls: VolumeCalls, body: RequestBody) => Promise<object>;

/** By path of the URL. */
export const answers: ReadonlyMap<string, Answer> = new Map<string, Answer>([
  [
    "/Plugin.Activate",
    async (calls) => {
      calls.activated();
      return { Implements: ["VolumeDriver"] };
    },
  ],
  // definitions are kept per host: each node of a swarm makes its own
  ["/VolumeDriver.Capabilities", async () => ({ Capabilities: { Scope: "local" } })],
  [
    "/VolumeDriver.Create",
    async (calls, body) => {
      await calls.create(text(body, "Name"), optionsOf(body));
      return {};
    },
  ],
  [
    "/VolumeDriver.Remove",
    async (calls, body) => {
      await calls.remove(text(body, "Name"));
      return {};
    },
  ],
  [
    "/VolumeDriver.Mount",
    async (calls, body) => ({
      Mountpoint: await calls.mount(text(body, "Name"), text(body, "ID")),
    }),
  ],
  [
    "/VolumeDriver.Unmount",
    async (calls, body) => {
      await calls.unmount(text(body, "Name"), text(body, "ID"));
      return {};
    },
  ],
  [
    "/VolumeDriver.Path",
    async (calls, body) => ({ Mountpoint: await calls.path(text(body, "Name")) }),
  ],
  ["/VolumeDriver.Get", async (calls, body) => ({ Volume: await calls.get(text(body, "Name")) })],
  ["/VolumeDriver.List", async (calls) => ({ Volumes: await calls.list() })],
]);

/** The object in a request's body; throws OptionError. */
export function parseBody(body: string): RequestBody {
  if (body.trim() === "") return {};
  try {
    const value: unknown = JSON.parse(body);
    if (isObject(value)) return value;
  } catch {
    // said below
  }
  throw new OptionError("Cannot read the request: want a JSON object");
}

function text(body: RequestBody, field: string): string {
  const value = body[field];
  if (typeof value === "string" && value !== "") return value;
  throw new OptionError(`Cannot read the request: ${field} is missing`);
}

// null where `docker volume create` had no -o
function optionsOf(body: RequestBody): Record<string, string> {
  const given = body["Opts"] ?? {};
  if (!isObject(given)) throw new OptionError("Cannot read the request: Opts is no object");
  return Object.fromEntries(
    Object.entries(given).map(([name, value]) => {
      if (typeof value === "string") return [name, value];
      throw new OptionError(`Cannot read the request: option ${name} is no text`);
    }),
  );
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
