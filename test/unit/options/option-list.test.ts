import { expect, test } from "vitest";
import { parseOptionList } from "../../../src/options/option-list.ts";

test.each([
  ["", []],
  ["allow_other", [["allow_other", undefined]]],
  [
    "a,b=c,,d=",
    [
      ["a", undefined],
      ["b", "c"],
      ["d", ""],
    ],
  ],
  [
    'a="x,y",b',
    [
      ["a", "x,y"],
      ["b", undefined],
    ],
  ],
  [
    "a=x\\,y,b",
    [
      ["a", "x,y"],
      ["b", undefined],
    ],
  ],
  ['a="q\\"r"', [["a", 'q"r']]],
  [
    "a=\\\\,b",
    [
      ["a", "\\"],
      ["b", undefined],
    ],
  ],
  ["a=c:\\d", [["a", "c:\\d"]]],
  ["endpoint=http://h:1/?x=y", [["endpoint", "http://h:1/?x=y"]]],
  [
    "_netdev,--file-mode=0666,-f",
    [
      ["_netdev", undefined],
      ["file-mode", "0666"],
      ["f", undefined],
    ],
  ],
])("parseOptionList() reads %j", (list, expected) => {
  expect(parseOptionList(list).map(({ name, value }) => [name, value])).toEqual(expected);
});

test("parseOptionList() refuses an open quotation", () => {
  expect(() => parseOptionList('a="b,c')).toThrow(
    'Cannot read -o a="b,c: a quotation mark is missing',
  );
});
