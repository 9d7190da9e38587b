// Limits the open streams of this process, and the memory for those of slow readers and for those that keep what they
// have shown.

import type { StreamLimiter } from "@dari/control/context";
import { AppError, createSharedCount, limits, type SharedBounds, sessionTokenLimits } from "@dari/domain";

const MiB = 1_024 * 1_024;

export function createStreamLimiter(
  streams: SharedBounds = { perProcess: limits.streamsPerProcess, perOrganization: limits.streamsPerOrganization },
  waiting: SharedBounds = {
    perProcess: limits.streamWaitingBytesPerProcess,
    perOrganization: limits.streamWaitingBytesPerOrganization,
  },
  perToken: number = sessionTokenLimits.streams,
  kept: SharedBounds = { perProcess: 512 * MiB, perOrganization: 256 * MiB },
): StreamLimiter {
  const places = createSharedCount(streams);
  const bytes = createSharedCount(waiting);
  const keptBytes = createSharedCount(kept);
  const ofTokens = createSharedCount({ perProcess: Infinity, perOrganization: perToken });
  return {
    check(organizationId, tokenId) {
      if (tokenId !== undefined && ofTokens.over(tokenId, 1) !== undefined) {
        const detail = `limit reached: ${perToken} open event streams of this session token; close some`;
        throw new AppError("limit_exceeded", detail, { retryAfterSeconds: 5 });
      }
      const over = places.over(organizationId, 1);
      if (over === undefined) return;
      const whose = over === "perOrganization" ? "the organization in this process" : "this process";
      const detail = `limit reached: ${streams[over]} open event streams of ${whose}; close some, or retry later`;
      throw new AppError("limit_exceeded", detail, { retryAfterSeconds: 5 });
    },
    take(organizationId, tokenId) {
      const leave = places.add(organizationId, 1);
      const leaveToken = tokenId === undefined ? undefined : ofTokens.add(tokenId, 1);
      return () => {
        leave();
        leaveToken?.();
      };
    },
    hold(organizationId, n) {
      return bytes.over(organizationId, n) === undefined ? bytes.add(organizationId, n) : undefined;
    },
    keep(organizationId, n) {
      return keptBytes.over(organizationId, n) === undefined ? keptBytes.add(organizationId, n) : undefined;
    },
  };
}
