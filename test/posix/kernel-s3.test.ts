import { startRealMount } from "../support/real-mount.ts";
import { driverOfMount } from "./mount-driver.ts";
import { posixSuite } from "./posix-suite.ts";

for (const passthrough of ["auto", "off"]) {
  posixSuite(`a mounted bucket, passthrough ${passthrough}`, async () => {
    return driverOfMount(await startRealMount("--allow-other", `--passthrough=${passthrough}`));
  });
}
