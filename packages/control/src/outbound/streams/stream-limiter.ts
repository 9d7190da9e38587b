// Limits the open streams of this process, and the memory for those of slow readers.

import type { StreamLimiter } from "@dari/control/context";
import { AppError, createSharedCount, limits, type SharedBounds } from "@dari/domain";

export function createStreamLimiter(
  streams: SharedBounds = { perProcess: limits.streamsPerProcess, perOrganization: limits.streamsPerOrganization },
  waiting: SharedBounds = {
    perProcess: limits.streamWaitingBytesPerProcess,
    perOrganization: limits.streamWaitingBytesPerOrganization,
  },
): StreamLimiter {
  const places = createSharedCount(streams);
  const bytes = createSharedCount(waiting);
  return {
    check(organizationId) {
      const over = places.over(organizationId, 1);
      if (over === undefined) return;
      const whose = over === "perOrganization" ? "the organization in this process" : "this process";
      const detail = `limit reached: ${streams[over]} open event streams of ${whose}; close some, or retry later`;
      throw new AppError("limit_exceeded", detail, { retryAfterSeconds: 5 });
    },
    take: (organizationId) => places.add(organizationId, 1),
    hold(organizationId, n) {
      return bytes.over(organizationId, n) === undefined ? bytes.add(organizationId, n) : undefined;
    },
  };
}
