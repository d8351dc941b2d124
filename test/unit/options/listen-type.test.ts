import { expect, test } from "vitest";
import { listenType } from "../../../src/options/listen-type.ts";

test.each([
  ["off", undefined],
  ["9325", { host: "127.0.0.1", port: 9325 }],
  ["localhost:80", { host: "localhost", port: 80 }],
  ["0.0.0.0:65535", { host: "0.0.0.0", port: 65_535 }],
  ["[::1]:9325", { host: "::1", port: 9325 }],
  ["unix:/run/pailfs/m.sock", { path: "/run/pailfs/m.sock" }],
])("listenType takes %j", (text, address) => {
  expect(listenType.parse(text, "/")).toEqual(address);
});

test.each(["", "yes", "0", "65536", "::1:9325", "host:", ":9325", "a b:1", "unix:", "unix:run/m"])(
  "listenType refuses %j",
  (text) => {
    expect(() => listenType.parse(text, "/")).toThrow("want off, a port such as 9325");
  },
);

test("listenType refuses a path that no socket can have", () => {
  expect(() => listenType.parse(`unix:/${"a".repeat(107)}`, "/")).toThrow("at most 107 bytes");
});
