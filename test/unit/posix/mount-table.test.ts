import { expect, test } from "vitest";
import { parseMountTable } from "../../../src/posix/mount-table.ts";

test("parseMountTable() reads mountinfo with and without optional fields, octal escapes undone", () => {
  const text = [
    "22 1 254:0 / / rw,relatime - ext4 /dev/root rw",
    String.raw`41 22 0:39 / /mnt/a\040b\134 rw,nosuid shared:2 master:1 - fuse.pailfs s3://b/x\040y\043 rw,user_id=1001,group_id=7`,
    "",
    "nonsense",
  ].join("\n");
  expect(parseMountTable(text)).toEqual([
    {
      id: 22,
      device: "254:0",
      mountpoint: "/",
      type: "ext4",
      source: "/dev/root",
      options: ["rw"],
      userId: undefined,
    },
    {
      id: 41,
      device: "0:39",
      mountpoint: "/mnt/a b\\",
      type: "fuse.pailfs",
      source: "s3://b/x y#",
      options: ["rw", "user_id=1001", "group_id=7"],
      userId: 1001,
    },
  ]);
});
