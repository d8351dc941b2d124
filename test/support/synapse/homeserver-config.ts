// homeserver.yaml; JSON is YAML too.

/** Of registration by tests. */
export const registrationSecret = "registration secret of a test";

/** What both ways to run Synapse in a test have in common, everything but its media in `folder`. */
export function baseConfig(folder: string, media: string): Record<string, unknown> {
  return {
    database: { name: "sqlite3", args: { database: `${folder}/homeserver.db` } },
    media_store_path: media,
    registration_shared_secret: registrationSecret,
    macaroon_secret_key: "macaroon",
    form_secret: "form",
    signing_key_path: `${folder}/signing.key`,
    trusted_key_servers: [],
    report_stats: false,
  };
}

/** One that federates with others of this host, previews URLs of this host, and limits nobody. */
export function federatingConfig(
  folder: string,
  media: string,
  ports: { readonly client: number; readonly federation: number },
): Record<string, unknown> {
  const listener = (port: number, name: string): Record<string, unknown> => ({
    port,
    type: "http",
    tls: name === "federation",
    bind_addresses: ["127.0.0.1"],
    resources: [{ names: [name] }],
  });
  const unlimited = { per_second: 10_000, burst_count: 10_000 };
  return {
    ...baseConfig(folder, media),
    server_name: `localhost:${ports.federation}`,
    pid_file: `${folder}/synapse.pid`,
    log_config: `${folder}/log.yaml`,
    listeners: [listener(ports.client, "client"), listener(ports.federation, "federation")],
    tls_certificate_path: `${folder}/tls.crt`,
    tls_private_key_path: `${folder}/tls.key`,
    federation_verify_certificates: false,
    ip_range_blacklist: [],
    url_preview_enabled: true,
    // documentation's own; previews of this host are wanted
    url_preview_ip_range_blacklist: ["192.0.2.0/24"],
    // an index that quarantine wants is made after the start, at leisure
    background_updates: { sleep_enabled: false },
    presence: { enabled: false },
    rc_message: unlimited,
    rc_registration: unlimited,
    rc_login: { address: unlimited, account: unlimited, failed_attempts: unlimited },
    rc_media_create: unlimited,
    rc_federation: { sleep_limit: 10_000, reject_limit: 10_000, concurrent: 100 },
    remote_media_download_per_second: "1000M",
    remote_media_download_burst_count: "1000M",
  };
}

/** log.yaml: INFO to a file. */
export function logConfig(path: string): Record<string, unknown> {
  const format = "%(asctime)s %(levelname)s %(name)s %(message)s";
  return {
    version: 1,
    formatters: { line: { format } },
    handlers: { file: { class: "logging.FileHandler", filename: path, formatter: "line" } },
    root: { level: "INFO", handlers: ["file"] },
    disable_existing_loggers: false,
  };
}
