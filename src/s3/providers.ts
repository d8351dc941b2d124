// What is known of each provider. Atomic conditional writes cannot be probed, so they are named here or not used.

export interface ProviderProfile {
  readonly name: string;
  /** Host names of its endpoints. */
  readonly hosts?: RegExp;
  /** Its Server header. */
  readonly server?: RegExp;
  /** If-None-Match and If-Match on PUT are done atomically. */
  readonly conditionalPut: boolean;
  /** If-Match on DELETE is done; most others ignore it. */
  readonly conditionalDelete?: boolean;
}

const profiles: readonly ProviderProfile[] = [
  { name: "aws", hosts: /\.amazonaws\.com(\.cn)?$/, conditionalPut: true, conditionalDelete: true },
  { name: "r2", hosts: /\.r2\.cloudflarestorage\.com$/, conditionalPut: true },
  // NotImplemented in mid 2026
  { name: "b2", hosts: /\.backblazeb2\.com$/, conditionalPut: false },
  { name: "wasabi", hosts: /\.wasabisys\.com$/, conditionalPut: false },
  { name: "digitalocean", hosts: /\.digitaloceanspaces\.com$/, conditionalPut: false },
  // If-None-Match only
  { name: "storj", hosts: /\.storjshare\.io$/, conditionalPut: false },
  { name: "minio", server: /^MinIO/i, conditionalPut: true },
  { name: "versitygw", server: /^VERSITYGW/i, conditionalPut: true, conditionalDelete: true },
  // 200 and overwrites
  { name: "garage", server: /^Garage/i, conditionalPut: false },
  // RGW 16 answers 412 to the right ETag
  { name: "ceph", server: /^Ceph/i, conditionalPut: false },
  { name: "seaweedfs", server: /^SeaweedFS/i, conditionalPut: false },
  // its Server header says AmazonS3, so it is used by name only
  { name: "gofakes3", conditionalPut: true },
  { name: "generic", conditionalPut: false },
];

const generic: ProviderProfile = { name: "generic", conditionalPut: false };

/** Names that `--provider` takes. */
export const providerNames: readonly string[] = profiles.map(({ name }) => name);

/** The profile of a name; undefined for an unknown one. */
export function providerNamed(name: string): ProviderProfile | undefined {
  return profiles.find((profile) => profile.name === name);
}

/** The profile of an endpoint, by host name, else by the Server header of an answer. */
export function detectProvider(hostname: string, server: string | undefined): ProviderProfile {
  return (
    profiles.find(({ hosts }) => hosts?.test(hostname)) ??
    profiles.find((profile) => server !== undefined && profile.server?.test(server)) ??
    generic
  );
}
