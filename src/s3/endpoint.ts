// Where requests go: host, path style or virtual host, region.

/** How to reach the bucket. */
export interface Endpoint {
  /** Scheme, host and port; holds the bucket's name with virtual hosts. */
  readonly origin: string;
  readonly host: string;
  /** Encoded path before the key, without a trailing "/". */
  readonly basePath: string;
  readonly region: string;
  readonly pathStyle: boolean;
  readonly aws: boolean;
}

export interface EndpointOptions {
  readonly bucket: string;
  /** URL or host[:port] (https); absent: AWS. */
  readonly endpoint?: string | undefined;
  readonly region?: string | undefined;
  readonly pathStyle?: boolean | undefined;
}

const regionPatterns: readonly RegExp[] = [
  /^s3[.-]([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?$/,
  /^s3\.dualstack\.([a-z0-9-]+)\.amazonaws\.com$/,
  /^s3\.([a-z0-9-]+)\.backblazeb2\.com$/,
  /^s3\.([a-z0-9-]+)\.wasabisys\.com$/,
  /^([a-z0-9-]+)\.digitaloceanspaces\.com$/,
];

/** The region a host name tells: AWS, B2, Wasabi, DigitalOcean; `auto` for R2; undefined elsewhere. */
export function regionOfHost(hostname: string): string | undefined {
  if (hostname.endsWith(".r2.cloudflarestorage.com")) return "auto";
  if (hostname === "s3.amazonaws.com" || hostname === "s3.wasabisys.com") return "us-east-1";
  for (const pattern of regionPatterns) {
    const region = pattern.exec(hostname)?.[1];
    if (region !== undefined) return region;
  }
  return undefined;
}

/** Resolves the options; throws RangeError with one line for an endpoint that is no http(s) URL. */
export function resolveEndpoint(options: EndpointOptions): Endpoint {
  const { bucket } = options;
  const url = endpointUrl(options);
  const region = options.region ?? regionOfHost(url.hostname) ?? "us-east-1";
  const aws = /(^|\.)amazonaws\.com(\.cn)?$/.test(url.hostname);
  // a wildcard certificate covers one label only, and labels are lower case
  const pathStyle = options.pathStyle ?? (!aws || !/^[a-z0-9][a-z0-9-]+$/.test(bucket));
  const host = pathStyle ? url.host : `${bucket}.${url.host}`;
  const path = url.pathname.replace(/\/+$/, "");
  return {
    origin: `${url.protocol}//${host}`,
    host,
    basePath: pathStyle ? `${path}/${encodeKey(bucket)}` : path,
    region,
    pathStyle,
    aws,
  };
}

function endpointUrl({ endpoint, region }: EndpointOptions): URL {
  if (endpoint === undefined || endpoint === "") {
    const name = region ?? "us-east-1";
    const domain = name.startsWith("cn-") ? "amazonaws.com.cn" : "amazonaws.com";
    return new URL(`https://s3.${name}.${domain}`);
  }
  const text = endpoint.includes("://") ? endpoint : `https://${endpoint}`;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.hostname === "") {
    throw new RangeError(`Cannot use endpoint "${endpoint}": want an http or https URL`);
  }
  return url;
}

/** The same endpoint in another region: AWS hosts carry it in their name. */
export function withRegion(options: EndpointOptions, region: string): EndpointOptions {
  const named = options.endpoint !== undefined && /amazonaws\.com/.test(options.endpoint);
  return { ...options, region, endpoint: named ? undefined : options.endpoint };
}

/** A key as it stands in a URL's path: all but unreserved characters and "/" percent-encoded. */
export function encodeKey(key: string): string {
  return encodeQuery(key).replaceAll("%2F", "/");
}

/** A query name or value, encoded as signatures want it. */
export function encodeQuery(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}
