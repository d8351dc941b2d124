// docs/COST.md: the counts of requests.md as money.
import type { Golden } from "./golden-table.ts";
import type { Mode } from "./modes.ts";
import { type Price, prices } from "./prices.ts";

const IMAGES = 100_000;

/**
 * goofys 0.24 for the same upload: 12 absent names of 2 HEAD and 1 LIST each, 5 directory markers, 6 objects (read from
 * its source; measured: 60 requests in all).
 */
const goofysUpload = "HEAD 24, LIST 12, PUT 11";

/** USD of counts such as "HEAD 1, PUT 6". */
export function costOf(counts: string, price: Price): number {
  let cost = 0;
  for (const part of counts === "0" ? [] : counts.split(", ")) {
    const [verb = "", count = "0"] = part.split(" ");
    cost += (Number(count) * perThousand(verb, price)) / 1000;
  }
  return cost;
}

function perThousand(verb: string, price: Price): number {
  switch (verb) {
    case "DELETE":
      return 0;
    case "GET":
    case "HEAD":
      return price.get;
    case "LIST":
      return price.list;
    case "COPY":
      return Math.max(price.put, price.provider === "Backblaze B2" ? price.list : 0);
    case "PUT":
      return price.put;
    default:
      throw new Error(`No price for ${verb}`);
  }
}

export function renderCost(golden: Golden, modes: readonly Mode[]): string {
  const rows = (name: string, goofys?: string): string[] =>
    prices.map((price) => {
      const counts = golden.get(`What Synapse does/${name}`) ?? {};
      const ours = modes.map((mode) => money(costOf(counts[mode.name] ?? "0", price)));
      const theirs = goofys === undefined ? [] : [money(costOf(goofys, price))];
      return `| ${[price.provider, ...ours, ...theirs].join(" | ")} |`;
    });
  const head = (last: readonly string[]): string[] => {
    const cells = ["USD", ...modes.map((mode) => mode.name), ...last];
    return [`| ${cells.join(" | ")} |`, `| ${cells.map(() => "---").join(" | ")} |`];
  };
  const upload = "upload of an image, 5 thumbnails";
  return `# Cost

Made from [test/golden/requests.md](../test/golden/requests.md), the numbers of requests that the tests hold us to, and the
prices of [test/golden/prices.ts](../test/golden/prices.ts) (November 2026). Storage and traffic are not in it.

## 100,000 images uploaded, each with 5 thumbnails

${[...head(["goofys"]), ...rows(upload, goofysUpload)].join("\n")}

goofys: ${goofysUpload} per image. Measured on one server for the same upload: goofys 60 requests, s3fs 60 to 141 (by version),
rclone mount 18, GeeseFS 36, pailfs ${Object.values(golden.get(`What Synapse does/${upload}`) ?? {}).join("; ")}.

## 100,000 thumbnails viewed that are not in the cache

${[...head([]), ...rows("thumbnail view")].join("\n")}

A thumbnail in the cache costs nothing.

## Where the price list says more

${prices
  .filter(({ note }) => note !== undefined)
  .map(({ provider, note = "" }) => `- ${provider}: ${note}`)
  .join("\n")}
`;
}

function money(perImage: number): string {
  return (perImage * IMAGES).toFixed(2);
}
