import { expect, test } from "vitest";
import { parseOptionList } from "../../../src/options/option-list.ts";
import { type ParsedMount, parseMountOptions } from "../../../src/options/parse-mount-options.ts";

const environment = { variables: {}, uid: 991, gid: 992, directory: "/work" };

function parse(list: string): ParsedMount {
  const given = parseOptionList(list);
  return parseMountOptions({ source: "media", mountpoint: "/m", given }, environment);
}

test("words that nobody knows are told with -s, and refused without", () => {
  const request = { source: "media", mountpoint: "/m", given: parseOptionList("uid=5,huhu,x=1") };
  const { notices, options } = parseMountOptions({ ...request, sloppy: true }, environment);
  expect(notices).toEqual([
    "-o huhu is unknown and has no effect",
    "-o x is unknown and has no effect",
  ]);
  expect(options.fs.uid).toBe(5);
  expect(() => parseMountOptions(request, environment)).toThrow("Unknown option -o huhu");
});

test("words of mountinfo are swallowed when mount(8) remounts", () => {
  const { isRemount, options } = parse(
    "rw,remount,nosuid,user_id=0,group_id=0,default_permissions,allow_other",
  );
  expect(isRemount).toBe(true);
  expect(options.fuse.allowOther).toBe(true);
  expect(parse("rw").isRemount).toBe(false);
});
