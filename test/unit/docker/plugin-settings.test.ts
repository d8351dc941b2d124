import { expect, test } from "vitest";
import { pluginSettings } from "../../../src/docker/plugin-settings.ts";

test("pluginSettings() waits for uploads for less time than dockerd does", async () => {
  expect(await pluginSettings([], false)).toMatchObject({
    unmountWaitMs: 45_000,
    lingerMs: 30_000,
  });
  expect(await pluginSettings(["--unmount-wait=0"], false)).toMatchObject({ unmountWaitMs: 0 });
  for (const wrong of ["51s", "1h", "soon", ""]) {
    await expect(pluginSettings([`--unmount-wait=${wrong}`], false)).rejects.toThrow(
      `Cannot use --unmount-wait=${wrong}: want a time up to 50s`,
    );
  }
});
