import { describe, expect, test } from "vitest";
import { line, parse } from "./mount-options-fixture.ts";

describe("goofys", () => {
  test("the line of matrix-docker-ansible-deploy is taken", () => {
    const { options, notices } = parse(
      line(
        ["f"],
        ["storage-class", "STANDARD_IA"],
        ["region", "eu-central-1"],
        ["stat-cache-ttl", "60m0s"],
        ["type-cache-ttl", "60m0s"],
        ["dir-mode", "0700"],
        ["file-mode", "0700"],
      ),
      { AWS_ACCESS_KEY: "id", AWS_SECRET_KEY: "secret" },
    );
    expect(options.daemon.foreground).toBe(true);
    expect(options.s3).toMatchObject({
      storageClass: "STANDARD_IA",
      storageClassMinBytes: 128 * 2 ** 10,
      region: "eu-central-1",
      credentials: {
        environmentKeys: { accessKeyId: "id", secretAccessKey: "secret", sessionToken: undefined },
      },
    });
    expect(options.fs).toMatchObject({
      fileMode: 0o700,
      dirMode: 0o700,
      statCacheTtlMs: 3_600_000,
    });
    expect(notices).toEqual([
      "--type-cache-ttl has no effect: names and attributes are both kept for stat_cache_ttl",
    ]);
  });

  test("flags of other names stand for ours", () => {
    const { options } = parse(
      line(["subdomain"], ["use-content-type"], ["sse-kms", "key-1"], ["endpoint", "http://h:1"]),
    );
    expect(options.s3).toMatchObject({ pathStyle: false, sse: "aws:kms", sseKmsKey: "key-1" });
    expect(options.spool.contentType).toBe("by-extension");
    expect(parse(line(["sse"])).options.s3.sse).toBe("AES256");
  });

  test.each(["cheap", "no-implicit-dir", "cache", "http-timeout", "debug_fuse", "debug_s3"])(
    "--%s is accepted with one line",
    (name) => {
      const { notices } = parse(line([name, "x"]));
      expect(notices).toHaveLength(1);
      expect(notices[0]).toMatch(/^--\S+ has no effect: [^\n]+$/);
    },
  );

  // every flag that goofys 0.24 has (internal/flags.go), but -h, -v and -o
  test.each<[string, string?]>([
    ["f"],
    ["dir-mode", "0700"],
    ["file-mode", "0600"],
    ["uid", "1"],
    ["gid", "2"],
    ["cache", "--free:10%:/c"],
    ["endpoint", "https://h:1"],
    ["region", "r"],
    ["requester-pays"],
    ["storage-class", "STANDARD_IA"],
    ["profile", "p"],
    ["use-content-type"],
    ["sse"],
    ["sse-kms", "key"],
    ["sse-c", Buffer.alloc(32).toString("base64")],
    ["acl", "private"],
    ["subdomain"],
    ["cheap"],
    ["no-implicit-dir"],
    ["stat-cache-ttl", "2m0s"],
    ["type-cache-ttl", "1m0s"],
    ["http-timeout", "30s"],
    ["debug_fuse"],
    ["debug_s3"],
  ])("--%s is taken", (...flag) => {
    const source = "my.media";
    const usual = parse([], {}, source).options;
    const { options, notices } = parse(line(flag), {}, source);
    const { endpoint } = options.s3;
    const { cache, spool } = usual;
    // folders have the endpoint in their names
    const others = endpoint === undefined ? {} : { cache, spool };
    const isWithoutEffect = notices.some((notice) => notice.includes("has no effect"));
    const wanted = isWithoutEffect
      ? expect.objectContaining(usual)
      : expect.not.objectContaining(usual);
    expect({ ...options, ...others }).toEqual(wanted);
  });

  test("--requester-pays, --sse-c, --acl and forms of --sse-kms are honoured", () => {
    const s3 = (...given: [string, string?][]): unknown => parse(line(...given)).options.s3;
    const key = Buffer.alloc(32, "k").toString("base64");
    expect(s3(["requester-pays"])).toMatchObject({ requesterPays: true });
    expect(s3(["sse-c", key])).toMatchObject({ customerKey: { key } });
    expect(s3(["acl", "private"])).toMatchObject({ acl: "private" });
    expect(s3(["sse"], ["sse-kms", "k"])).toMatchObject({ sse: "aws:kms", sseKmsKey: "k" });
    expect(s3(["sse-kms", "k"], ["sse"])).toMatchObject({ sse: "aws:kms", sseKmsKey: "k" });
    expect(s3(["sse-kms", ""])).toMatchObject({ sse: "aws:kms", sseKmsKey: undefined });
    expect(parse(line(["sse-c", key])).notices).toEqual([
      expect.stringMatching(/^--sse-c: every user of this host can see the key/),
    ]);
  });
});
