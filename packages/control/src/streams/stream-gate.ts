// Counts the open streams of this process, and what those of slow readers keep in memory.

import { AppError, limits } from "@dari/domain";

export interface StreamGate {
  /** @throws AppError `limit_exceeded` when one more stream of the organization is too many. */
  check(organizationId: string): void;
  /** Takes a place, also where none is left: for a stream that was promised. Returns the way out. */
  take(organizationId: string): () => void;
  /**
   * Counts bytes that wait for a slow reader until the returned function is called; undefined when too many wait
   * already, and the reader is to be cut off.
   */
  hold(organizationId: string, bytes: number): (() => void) | undefined;
}

export interface StreamBounds {
  readonly perProcess: number;
  readonly perOrganization: number;
}

export function createStreamGate(
  streams: StreamBounds = { perProcess: limits.streamsPerProcess, perOrganization: limits.streamsPerOrganization },
  waiting: StreamBounds = {
    perProcess: limits.streamWaitingBytesPerProcess,
    perOrganization: limits.streamWaitingBytesPerOrganization,
  },
): StreamGate {
  const places = createCount(streams);
  const bytes = createCount(waiting);
  return {
    check(organizationId) {
      if (places.fits(organizationId, 1)) return;
      throw new AppError("limit_exceeded", "too many event streams are open here; close some, or try again later", {
        retryAfterSeconds: 5,
      });
    },
    take: (organizationId) => places.add(organizationId, 1),
    hold: (organizationId, n) => (bytes.fits(organizationId, n) ? bytes.add(organizationId, n) : undefined),
  };
}

function createCount(bounds: StreamBounds) {
  const byOrganization = new Map<string, number>();
  let all = 0;
  const own = (organizationId: string): number => byOrganization.get(organizationId) ?? 0;
  return {
    fits: (organizationId: string, n: number): boolean =>
      all + n <= bounds.perProcess && own(organizationId) + n <= bounds.perOrganization,
    add(organizationId: string, n: number): () => void {
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
