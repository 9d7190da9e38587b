// Counts concurrent items of a process and of each organization in it.

export interface SharedBounds {
  readonly perProcess: number;
  readonly perOrganization: number;
}

export interface SharedCount {
  /** Which limit `n` more would exceed; the organization's own is checked first. */
  over(organizationId: string, n: number): keyof SharedBounds | undefined;
  /** Counts `n` more, even beyond the limits, until the returned function is called. */
  add(organizationId: string, n: number): () => void;
}

export function createSharedCount(bounds: SharedBounds): SharedCount {
  const byOrganization = new Map<string, number>();
  let all = 0;
  const own = (organizationId: string): number => byOrganization.get(organizationId) ?? 0;
  return {
    over(organizationId, n) {
      if (own(organizationId) + n > bounds.perOrganization) return "perOrganization";
      return all + n > bounds.perProcess ? "perProcess" : undefined;
    },
    add(organizationId, n) {
      all += n;
      byOrganization.set(organizationId, own(organizationId) + n);
      let left = false;
      return () => {
        if (left) return;
        left = true;
        all -= n;
        const now = own(organizationId) - n;
        if (now === 0) byOrganization.delete(organizationId);
        else byOrganization.set(organizationId, now);
      };
    },
  };
}
