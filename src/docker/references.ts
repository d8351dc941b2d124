// Who uses a volume: dockerd names each user by an ID, but mounts and unmounts with one ID more than once (docker cp on a
// running container), and mounts again with the same ID after it was killed.

/** How often each ID has mounted and not unmounted; IDs with none are absent. */
export type References = Readonly<Record<string, number>>;

/** One more use by an ID. */
export function withMount(references: References, id: string): References {
  return { ...references, [id]: (references[id] ?? 0) + 1 };
}

/** One use by an ID less; an ID that is not there is fine: after a restart dockerd may know more than we do. */
export function withUnmount(references: References, id: string): References {
  const { [id]: count = 0, ...others } = references;
  return count > 1 ? { ...others, [id]: count - 1 } : others;
}

/** For a dockerd that has started: an ID may be mounted once more without ever having been unmounted. A leak keeps a mount up, no more. */
export function clamped(references: References): References {
  return Object.fromEntries(Object.keys(references).map((id) => [id, 1]));
}

/** Whether nobody uses the volume. */
export function isIdle(references: References): boolean {
  return Object.keys(references).length === 0;
}
