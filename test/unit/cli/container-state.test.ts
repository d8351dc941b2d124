import { expect, test } from "vitest";
import { parseInContainer } from "../../../src/cli/container-state.ts";
import { commandLineOption } from "../../../src/options/given-option.ts";
import { parseMountTable } from "../../../src/posix/mount-table.ts";

async function parsed(given: Record<string, string>, variables: Record<string, string>) {
  const options = Object.entries(given).map(([name, value]) => commandLineOption(name, value));
  const request = { source: "b", mountpoint: "/s3", given: options };
  return parseInContainer(request, { variables, uid: 0, gid: 0, directory: "/" });
}

const container = { PAILFS_CONTAINER: "yes" };

test("a container without a volume for its state waits for S3, and says why", async () => {
  const { options, notices } = await parsed({ "state-dir": "/nowhere/pailfs" }, container);
  expect(options.fs.ack).toBe("s3");
  expect(notices).toEqual([expect.stringMatching(/^\/nowhere\/pailfs is inside.*ack=s3.*volume/)]);
});

test("whoever asks for ack=disk gets it, and hears what may be lost", async () => {
  const state = { "state-dir": "/nowhere/pailfs" };
  const asked = await parsed({ ...state, ack: "disk" }, container);
  expect(asked.options.fs.ack).toBe("disk");
  expect(asked.notices).toEqual([expect.stringContaining("not uploaded is lost")]);
  const byEnvironment = await parsed(state, { ...container, PAILFS_ACK: "disk" });
  expect(byEnvironment.options.fs.ack).toBe("disk");
});

test.each([
  [{ "state-dir": "/nowhere" }, {}],
  // another file system, as a volume is
  [{ "state-dir": "/proc" }, container],
  [{ "state-dir": "/nowhere", "read-only": "yes" }, container],
])("%j with %j is left alone", async (given, variables) => {
  const { options, notices } = await parsed(given as Record<string, string>, variables);
  expect([options.fs.ack, notices]).toEqual(["disk", []]);
});

test("a volume on the disk of the container's layers is a volume", async () => {
  const given = [commandLineOption("state-dir", "/usr/nowhere/pailfs")];
  const request = { source: "b", mountpoint: "/s3", given };
  const environment = { variables: container, uid: 0, gid: 0, directory: "/" };
  const line = (id: number, place: string): string =>
    `${id} 1 254:1 /layer ${place} rw,relatime - ext4 /dev/vda1 rw\n`;
  const ackWith = async (text: string) => {
    const parsed = await parseInContainer(request, environment, async () => parseMountTable(text));
    return parsed.options.fs.ack;
  };
  expect(await ackWith(line(1, "/"))).toBe("s3");
  expect(await ackWith(line(1, "/") + line(2, "/usr"))).toBe("disk");
  expect(await ackWith(line(1, "/") + line(2, "/us"))).toBe("s3");
});
