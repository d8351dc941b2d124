import { type MountInChildOptions, mountInChild } from "../support/mount/mount-in-child.ts";
import { mountDriver } from "./mount-driver.ts";
import { posixSuite } from "./posix-suite.ts";

const modes: readonly (readonly [string, MountInChildOptions])[] = [
  ["through the daemon", {}],
  ["passthrough", { backed: true, mount: { passthrough: "auto" } }],
  [
    "passthrough, content replaced at close",
    { backed: true, mount: { passthrough: "auto" }, fileSystem: { replaceOnTruncate: true } },
  ],
];

for (const [name, options] of modes) {
  posixSuite(`kernel mount, ${name}`, async () => {
    const mount = await mountInChild(options);
    const driver = mountDriver(mount.mountpoint);
    return {
      ...driver,
      async close() {
        await driver.close();
        await mount.stop();
      },
    };
  });
}
