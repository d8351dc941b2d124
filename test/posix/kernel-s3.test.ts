import { startRealMount } from "../support/real-mount.ts";
import { mountDriver } from "./mount-driver.ts";
import { posixSuite } from "./posix-suite.ts";

for (const passthrough of ["auto", "off"]) {
  posixSuite(`a mounted bucket, passthrough ${passthrough}`, async () => {
    const mount = await startRealMount("--allow-other", `--passthrough=${passthrough}`);
    const driver = mountDriver(mount.mountpoint);
    return {
      ...driver,
      canExchange: false,
      async close() {
        await driver.close();
        await mount.stop();
      },
    };
  });
}
