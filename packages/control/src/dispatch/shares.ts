// Which organizations get the free slots. Pure: virtual time in, shares out.

export interface Share {
  readonly organizationId: string;
  readonly count: number;
}

/** Virtual time per organization: who has had less goes first. */
export type VirtualTimes = Map<string, number>;

/**
 * Gives `slots` one by one to the organization with the least virtual time, charging one per slot. Organizations
 * that are new start at the least time of those that wait, so that a late comer neither starves nor catches up.
 */
export function shareSlots(times: VirtualTimes, ready: readonly string[], slots: number): Share[] {
  const known = ready.map((id) => times.get(id)).filter((time) => time !== undefined);
  const start = known.length === 0 ? 0 : Math.min(...known);
  const waiting = new Set(ready);
  for (const id of times.keys()) if (!waiting.has(id)) times.delete(id);
  for (const id of ready) times.set(id, Math.max(times.get(id) ?? start, start));

  const counts = new Map<string, number>();
  for (let i = 0; i < slots && ready.length > 0; i++) {
    let least = ready[0] as string;
    for (const id of ready) if ((times.get(id) ?? 0) < (times.get(least) ?? 0)) least = id;
    times.set(least, (times.get(least) ?? 0) + 1);
    counts.set(least, (counts.get(least) ?? 0) + 1);
  }
  return [...counts].map(([organizationId, count]) => ({ organizationId, count }));
}
