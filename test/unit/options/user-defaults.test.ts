import { dirname } from "node:path";
import { expect, test } from "vitest";
import type { Environment } from "../../../src/options/environment-options.ts";
import { parseMountOptions } from "../../../src/options/parse-mount-options.ts";

const environment = {
  variables: {},
  uid: 991,
  gid: 992,
  directory: "/",
  homeDirectory: "/home/synapse",
};

test("root's cache and state are the host's, another user's are by XDG or as systemd made them", () => {
  const folders = (changes: Partial<Environment>): string[] => {
    const { options } = parseMountOptions(
      { source: "media", mountpoint: "/mnt", given: [] },
      { ...environment, ...changes },
    );
    return [options.cache.directory, options.spool.stateDirectory].map((path) => dirname(path));
  };
  expect(folders({ uid: 0 })).toEqual(["/var/cache/pailfs", "/var/lib/pailfs"]);
  expect(folders({})).toEqual(["/home/synapse/.cache/pailfs", "/home/synapse/.local/state/pailfs"]);
  const xdg = { XDG_CACHE_HOME: "/c", XDG_STATE_HOME: "relative" };
  expect(folders({ variables: xdg })).toEqual(["/c/pailfs", "/home/synapse/.local/state/pailfs"]);
  const unit = { ...xdg, STATE_DIRECTORY: "/var/lib/pailfs:/var/lib/more" };
  expect(folders({ variables: unit })).toEqual(["/c/pailfs", "/var/lib/pailfs"]);
});
