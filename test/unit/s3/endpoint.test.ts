import { describe, expect, test } from "vitest";
import { regionOfHost, resolveEndpoint, withRegion } from "../../../src/s3/endpoint.ts";
import { detectProvider, providerNamed } from "../../../src/s3/providers.ts";

describe("resolveEndpoint()", () => {
  test.each([
    [{ bucket: "b1" }, "https://b1.s3.us-east-1.amazonaws.com", "", "us-east-1"],
    [
      { bucket: "b1", region: "eu-west-3" },
      "https://b1.s3.eu-west-3.amazonaws.com",
      "",
      "eu-west-3",
    ],
    [{ bucket: "b.1" }, "https://s3.us-east-1.amazonaws.com", "/b.1", "us-east-1"],
    [
      { bucket: "b1", region: "cn-north-1" },
      "https://b1.s3.cn-north-1.amazonaws.com.cn",
      "",
      "cn-north-1",
    ],
    [
      { bucket: "b1", endpoint: "http://127.0.0.1:9000" },
      "http://127.0.0.1:9000",
      "/b1",
      "us-east-1",
    ],
    [{ bucket: "b1", endpoint: "https://h/base/" }, "https://h", "/base/b1", "us-east-1"],
    [
      { bucket: "b1", endpoint: "s3.eu-central-003.backblazeb2.com" },
      "https://s3.eu-central-003.backblazeb2.com",
      "/b1",
      "eu-central-003",
    ],
    [
      { bucket: "b1", endpoint: "https://a.r2.cloudflarestorage.com" },
      "https://a.r2.cloudflarestorage.com",
      "/b1",
      "auto",
    ],
    [
      { bucket: "b1", endpoint: "https://h:8443", pathStyle: false },
      "https://b1.h:8443",
      "",
      "us-east-1",
    ],
    [
      { bucket: "b1", endpoint: "https://s3.eu-west-1.amazonaws.com" },
      "https://b1.s3.eu-west-1.amazonaws.com",
      "",
      "eu-west-1",
    ],
  ])("%j", (options, origin, basePath, region) => {
    expect(resolveEndpoint(options)).toMatchObject({ origin, basePath, region });
  });

  test.each(["ftp://h", "http://", "::"])("refuses %s", (endpoint) => {
    expect(() => resolveEndpoint({ bucket: "b", endpoint })).toThrow(RangeError);
  });

  test("another region moves AWS hosts only", () => {
    const aws = { bucket: "b1", endpoint: "https://s3.eu-west-1.amazonaws.com" };
    expect(resolveEndpoint(withRegion(aws, "us-west-2")).host).toBe(
      "b1.s3.us-west-2.amazonaws.com",
    );
    const own = { bucket: "b1", endpoint: "https://minio:9000" };
    expect(resolveEndpoint(withRegion(own, "x"))).toMatchObject({
      host: "minio:9000",
      region: "x",
    });
  });
});

describe("regionOfHost()", () => {
  test.each([
    ["s3.amazonaws.com", "us-east-1"],
    ["s3-eu-west-1.amazonaws.com", "eu-west-1"],
    ["s3.dualstack.eu-west-1.amazonaws.com", "eu-west-1"],
    ["s3.us-west-004.backblazeb2.com", "us-west-004"],
    ["s3.eu-central-1.wasabisys.com", "eu-central-1"],
    ["s3.wasabisys.com", "us-east-1"],
    ["fra1.digitaloceanspaces.com", "fra1"],
    ["x.eu.r2.cloudflarestorage.com", "auto"],
    ["minio.local", undefined],
  ])("%s is %s", (host, region) => {
    expect(regionOfHost(host)).toBe(region);
  });
});

describe("detectProvider()", () => {
  test.each([
    ["b.s3.eu-west-1.amazonaws.com", "AmazonS3", "aws", true],
    ["a.r2.cloudflarestorage.com", "cloudflare", "r2", true],
    ["s3.us-west-004.backblazeb2.com", undefined, "b2", false],
    ["10.0.0.1", "MinIO", "minio", true],
    ["10.0.0.1", "VERSITYGW", "versitygw", true],
    // gofakes3 says so too, and Amazon's host name is another
    ["10.0.0.1", "AmazonS3", "generic", false],
    ["10.0.0.1", undefined, "generic", false],
  ])("%s with Server %s is %s", (host, server, name, conditionalPut) => {
    expect(detectProvider(host, server)).toMatchObject({ name, conditionalPut });
  });

  test("providerNamed() knows names only", () => {
    expect(providerNamed("garage")?.conditionalPut).toBe(false);
    expect(providerNamed("nobody")).toBeUndefined();
  });
});
