import { loadFuseNative } from "../../src/fuse/native/fuse-native.ts";

/** Whether tests of fuse=native run: not where the package or libfuse 2 is missing, save in CI, where they then fail. */
export const runsNative: boolean =
  process.env["CI"] === "true" ||
  (await loadFuseNative().then(
    () => true,
    (error: unknown) => {
      console.warn("tests of fuse=native are skipped: %s", error);
      return false;
    },
  ));
