import { spawn } from "node:child_process";
import { once } from "node:events";
import { expect, test } from "vitest";

const dist = new URL("../../../dist/", import.meta.url).href;

// what the daemon does with an exception that nobody caught: it logs, which must not be the next exception
const program = `
const [{ openLogTarget }, { log }] = await Promise.all(
  [import("${dist}daemon/log-target.js"), import("${dist}log.js")]);
openLogTarget({ kind: "stderr", style: "journal" });
let exceptions = 0;
process.on("uncaughtException", () => { exceptions += 1; if (exceptions < 50) log.error("uncaught"); });
process.stdin.once("data", () => {
  log.info("nobody reads this");
  setTimeout(() => { process.stdout.write("exceptions " + exceptions); process.exit(0); }, 200);
});
process.stdout.write("ready ");
`;

test("a journal that went away is no trouble: lines are lost", async () => {
  const child = spawn(process.execPath, ["--input-type=module", "-e", program]);
  let said = "";
  child.stdout.on("data", (text: Buffer) => (said += text.toString()));
  await once(child.stdout, "data");
  child.stderr.destroy();
  child.stdin.write("go\n");
  await once(child, "close");
  expect(said).toBe("ready exceptions 0");
}, 20_000);
