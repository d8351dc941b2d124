// What a person is told of pending work, by way of `pailfs queue`. Plain JSON: it travels over the control socket.

/** One piece of pending work, or one quarantined file. */
export interface QueueItem {
  /** A number, or for quarantined files their name; stays the same over restarts. */
  readonly id: string;
  /**
   * `open`: a program still writes the file. `failing`: S3 or the network. `refused`: S3 refuses this key while others
   * work. `lost`: the staged bytes are not what was promised. `quarantined`: bytes set aside, no work any more.
   */
  readonly state: "waiting" | "open" | "running" | "failing" | "refused" | "lost" | "quarantined";
  readonly kind: "put" | "copy" | "delete" | "describe";
  readonly key?: string;
  /** Where a copy comes from. */
  readonly from?: string;
  readonly bytes?: number;
  /** Ms since the epoch: when it was queued or quarantined, whatever run of the daemon that was in. */
  readonly sinceMs?: number;
  readonly attempts?: number;
  readonly reason?: string;
}
