import { describe, expect, test } from "vitest";
import { parseOptionList } from "../../../src/options/option-list.ts";
import { line, parse } from "./mount-options-fixture.ts";

test("parseMountOptions() completes a bare request", () => {
  const { options, notices } = parse();
  expect(notices).toEqual([]);
  expect(options).toEqual({
    source: "media:synapse/",
    mountpoint: "/work/mnt",
    s3: {
      bucket: "media",
      prefix: "synapse/",
      endpoint: undefined,
      region: undefined,
      pathStyle: false,
      credentials: { file: undefined, profile: undefined, environmentKeys: undefined },
      storageClass: undefined,
      storageClassMinBytes: 0,
      sse: undefined,
      sseKmsKey: undefined,
      customerKey: undefined,
      requesterPays: false,
      acl: undefined,
      deadlineMs: 30_000,
      concurrency: 16,
    },
    cache: {
      directory: expect.stringMatching(/^\/\.cache\/pailfs\/media-synapse-[0-9a-f]{10}$/),
      limitBytes: 10 * 2 ** 30,
      minFree: { fraction: 0.05 },
      memoryLimitBytes: 64 * 2 ** 20,
    },
    spool: {
      stateDirectory: expect.stringMatching(
        /^\/\.local\/state\/pailfs\/media-synapse-[0-9a-f]{10}$/,
      ),
      limitBytes: 20 * 2 ** 30,
      minFree: { fraction: 0.05 },
      partSizeBytes: 8 * 2 ** 20,
      multipartThresholdBytes: 64 * 2 ** 20,
      contentType: undefined,
    },
    local: { directory: expect.stringMatching(/\/local$/), names: [], minFree: { fraction: 0.05 } },
    fs: {
      uid: 991,
      gid: 992,
      fileMode: 0o644,
      dirMode: 0o755,
      readOnly: false,
      ack: "disk",
      publishDelayMs: 0,
      sharing: "shared",
      deleteDelayMs: 0,
      deleteBurst: 1000,
      refreshIntervalMs: 0,
      metadata: "index",
      directoryMarkers: false,
      statCacheTtlMs: 60_000,
      negativeTtlMs: 1000,
    },
    fuse: {
      adapter: "auto",
      passthrough: "auto",
      allowOther: false,
      readOnly: false,
      nonempty: false,
      mountWords: [],
    },
    daemon: {
      foreground: false,
      umountWaitMs: 80_000,
      protectMountpoint: "auto",
      metrics: undefined,
    },
    log: { file: undefined, level: "info" },
  });
});

describe("spellings", () => {
  test.each([
    ["cache-dir", line(["cache-dir", "/c"])],
    ["cache_dir on the command line", line(["cache_dir", "/c"])],
    ["cache_dir in a list", parseOptionList("cache_dir=/c")],
    ["cache-dir in a list", parseOptionList("cache-dir=/c")],
    ["goofys dashes in a list", parseOptionList("--cache-dir=/c")],
  ])("%s", (_, given) => {
    expect(parse(given).options.cache.directory).toMatch(/^\/c\/media-synapse-/);
  });

  test.each([
    [line(["allow-other"]), true],
    [line(["allow-other", "yes"]), true],
    [line(["allow-other", "0"]), false],
    [line(["allow-other"], ["no-allow-other"]), false],
    [parseOptionList("allow_other"), true],
    [parseOptionList("allow_other,no_allow_other"), false],
  ])("boolean %j is %s", (given, expected) => {
    expect(parse(given).options.fuse.allowOther).toBe(expected);
  });

  test("environment variables give options, AWS's too", () => {
    const { options } = parse([], {
      PAILFS_CACHE_SIZE: "1G",
      AWS_REGION: "eu-central-1",
      AWS_DEFAULT_REGION: "us-east-1",
      AWS_ENDPOINT_URL: "http://127.0.0.1:9000",
      PAILFS_LOG_LEVEL: "",
    });
    expect(options.cache.limitBytes).toBe(2 ** 30);
    expect(options.s3).toMatchObject({
      region: "eu-central-1",
      endpoint: "http://127.0.0.1:9000",
      pathStyle: true,
    });
  });

  test("the command line beats -o, which beats the environment, whatever the order", () => {
    const given = [...line(["region", "line"]), ...parseOptionList("region=list,acl=list")];
    const { s3 } = parse(given, {
      AWS_REGION: "env",
      PAILFS_ACL: "env",
      PAILFS_SSE: "AES256",
    }).options;
    expect(s3).toMatchObject({ region: "line", acl: "list", sse: "AES256" });
  });
});

describe("words of mount(8)", () => {
  test("are swallowed, passed on, or make the mount read-only", () => {
    const { options } = parse(
      parseOptionList(
        "rw,user=root,_netdev,nofail,x-systemd.automount,comment=x,dev,suid,ro,noatime,noexec,uid=5",
      ),
    );
    expect(options.fuse).toMatchObject({
      readOnly: true,
      mountWords: ["_netdev", "noatime", "noexec"],
    });
    expect(options.fs).toMatchObject({ readOnly: true, uid: 5 });
  });

  test("mean nothing on the command line", () => {
    expect(() => parse(line(["nofail"]))).toThrow("Unknown option --nofail");
  });
});

describe("bad input is one line that names the value and the remedy", () => {
  test.each([
    [line(["cahce-dir", "/x"]), "Unknown option --cahce-dir: did you mean --cache-dir?"],
    [parseOptionList("cahce_dir=/x"), "Unknown option -o cahce_dir: did you mean -o cache_dir?"],
    [line(["quux"]), "Unknown option --quux: see pailfs mount --help"],
    [line(["no-cache-dir"]), "Unknown option --no-cache-dir: did you mean --cache-dir?"],
    [line(["cache-size", "12Q"]), "Cannot use --cache-size=12Q: want a size such as 512M or 2GiB"],
    [line(["cache-size", "1M"]), "Cannot use --cache-size=1M: want a size from 16M to 1024T"],
    [line(["cache-size"]), "Cannot use --cache-size without a value: write --cache-size=SIZE"],
    [
      line(["file-mode", "999"]),
      "Cannot use --file-mode=999: want permission bits in octal such as 0750",
    ],
    [
      line(["uid", "www-data"]),
      "Cannot use --uid=www-data: want a whole number from 0 to 4294967294",
    ],
    [line(["sharing", "mine"]), "Cannot use --sharing=mine: want shared or exclusive"],
    [
      line(["refresh-interval", "90s"]),
      "Cannot use refresh_interval=90s with sharing=shared: names are asked for again after stat_cache_ttl; " +
        "leave it out, or mount with sharing=exclusive",
    ],
    [line(["fuse", "magic"]), "Cannot use --fuse=magic: want auto, kernel or native"],
    [
      line(["fuse", "native"], ["passthrough", "yes"]),
      "Cannot use passthrough=yes with fuse=native: libfuse 2 has none; leave it out, or mount with fuse=kernel",
    ],
    [
      parseOptionList("s3_deadline=soon"),
      "Cannot use -o s3_deadline=soon: want a time such as 30s, 5m or 1h30m",
    ],
    [
      line(["part-size", "128M"]),
      "Cannot use multipart_threshold=64M with part_size=128M: want a threshold of at least one part",
    ],
    [
      line(["state-dir", "/c/s"], ["cache-dir", "/c"]),
      "Cannot use state_dir=/c/s with cache_dir=/c: the cache may be deleted at any time, the state must not; keep it elsewhere",
    ],
    [
      line(["sse", "AES256"], ["sse-kms-key", "k"]),
      "Cannot use sse=AES256 with sse_kms_key=k: leave one of them out",
    ],
    [
      line(["sse", "none"], ["sse-kms-key", "k"]),
      "Cannot use sse=none with sse_kms_key=k: leave one of them out",
    ],
    [
      line(["sse"], ["sse-customer-key-file", "/k"]),
      "Cannot use sse_customer_key_file=/k with sse=AES256: an object has one encryption",
    ],
    [
      line(["sse-kms-key", "k"], ["sse-customer-key-file", "/k"]),
      "Cannot use sse_customer_key_file=/k with sse_kms_key=k: an object has one encryption",
    ],
    [
      line(["endpoint", "http://h:1"], ["sse-customer-key-file", "/k"]),
      "Cannot use sse_customer_key_file=/k with endpoint=http://h:1: the key would go over the network in clear; use https",
    ],
    [
      line(["sse-customer-key", "0123456789abcdef0123456789abcdef"]),
      "Cannot use --sse-customer-key: others can see it there; put it into a file of mode 0600 and name it with sse_customer_key_file, or set PAILFS_SSE_CUSTOMER_KEY",
    ],
    [line(["sse-c", "short"]), "Cannot use --sse-c=…: want 32 bytes, or base64 of 32 bytes"],
    [
      line(["storage-class-min-size", "6M"]),
      "Cannot use --storage-class-min-size=6M: want a size from 0 to 5M",
    ],
  ])("%j", (given, message) => {
    expect(() => parse(given)).toThrow(expect.objectContaining({ name: "OptionError", message }));
  });

  test("an environment variable is called by its name", () => {
    expect(() => parse([], { PAILFS_ACK: "tape" })).toThrow(
      "Cannot use PAILFS_ACK=tape: want disk or s3",
    );
  });
});

test("each endpoint, bucket and prefix has folders of its own", () => {
  const folder = (source: string, endpoint?: string): string =>
    parse(endpoint === undefined ? [] : line(["endpoint", endpoint]), {}, source).options.cache
      .directory;
  const folders = [
    folder("media"),
    folder("media:a"),
    folder("media:a/"),
    folder("media:ä"),
    folder("media-a"),
    folder("media", "http://h:1"),
    folder(`media:${"long/".repeat(100)}`),
  ];
  expect(new Set(folders).size).toBe(folders.length);
  for (const path of folders) expect(path).toMatch(/^\/\.cache\/pailfs\/[A-Za-z0-9._-]{1,80}$/);
  expect(folder("s3://media/a")).toBe(folder("media:a"));
});

test("path style is for everyone but AWS, and for names with dots", () => {
  const pathStyle = (source: string, ...given: [string, string][]): boolean =>
    parse(line(...given), {}, source).options.s3.pathStyle;
  expect(pathStyle("b1")).toBe(false);
  expect(pathStyle("b.c")).toBe(true);
  expect(pathStyle("b1", ["endpoint", "https://s3.eu-west-1.amazonaws.com"])).toBe(false);
  expect(pathStyle("b1", ["endpoint", "http://127.0.0.1:1"])).toBe(true);
  expect(pathStyle("b1", ["endpoint", "http://127.0.0.1:1"], ["path-style", "no"])).toBe(false);
});

test("umask takes bits away", () => {
  expect(parse(line(["umask", "027"], ["file-mode", "666"])).options.fs).toMatchObject({
    fileMode: 0o640,
    dirMode: 0o750,
  });
});
