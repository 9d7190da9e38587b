// Counts the open streams of this process, and what those of slow readers keep in memory.

import { AppError, createSharedCount, limits, type SharedBounds } from "@dari/domain";

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

export function createStreamGate(
  streams: SharedBounds = { perProcess: limits.streamsPerProcess, perOrganization: limits.streamsPerOrganization },
  waiting: SharedBounds = {
    perProcess: limits.streamWaitingBytesPerProcess,
    perOrganization: limits.streamWaitingBytesPerOrganization,
  },
): StreamGate {
  const places = createSharedCount(streams);
  const bytes = createSharedCount(waiting);
  return {
    check(organizationId) {
      if (places.over(organizationId, 1) === undefined) return;
      throw new AppError("limit_exceeded", "too many event streams are open here; close some, or try again later", {
        retryAfterSeconds: 5,
      });
    },
    take: (organizationId) => places.add(organizationId, 1),
    hold(organizationId, n) {
      return bytes.over(organizationId, n) === undefined ? bytes.add(organizationId, n) : undefined;
    },
  };
}
