// What providers take per request, in USD, as published in November 2026; they move.

export interface Price {
  readonly provider: string;
  /** Per 1,000 of PUT, COPY and POST. */
  readonly put: number;
  /** Per 1,000 of LIST. */
  readonly list: number;
  /** Per 1,000 of GET and HEAD. */
  readonly get: number;
  readonly note?: string;
}

export const prices: readonly Price[] = [
  { provider: "Amazon S3 Standard", put: 0.005, list: 0.005, get: 0.0004 },
  {
    provider: "Amazon S3 Standard-IA",
    put: 0.01,
    list: 0.005,
    get: 0.001,
    note: "and 0.01 per GB read, 128 KB and 30 days at least: 10 KB cost there what 70 KB cost in Standard, so smaller files than 128 KiB go to Standard (storage_class_min_size)",
  },
  { provider: "Cloudflare R2", put: 0.0045, list: 0.0045, get: 0.00036 },
  {
    provider: "Backblaze B2",
    put: 0,
    list: 0.004,
    get: 0.0004,
    note: "COPY costs as LIST; 2,500 a day of each are free",
  },
  {
    provider: "Wasabi, DigitalOcean Spaces, Storj",
    put: 0,
    list: 0,
    get: 0,
    note: "no price per request; see their least sizes and times",
  },
];
