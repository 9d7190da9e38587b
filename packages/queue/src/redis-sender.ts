// The connection on which a process sends jobs and notifications. One serves both, because a process asks each of its
// connections regularly whether Redis answers. Previews have their own: agents write much, and nothing may wait for it.

import type { Redis } from "ioredis";
import { startLivenessCheck } from "./liveness-check.ts";
import { connectFailingFast, disconnect } from "./connect-redis.ts";

export interface Sender {
  readonly redisUrl: string;
  readonly redis: Redis;
  /** Whether Redis has answered within about a second. Otherwise use something else: commands fail at once. */
  readonly isAvailable: boolean;
  /** Tells that Redis has answered a command, so that it need not be asked. */
  noticeAnswer(): void;
  close(): void;
}

export function connectSender(redisUrl: string): Sender {
  const redis = connectFailingFast(redisUrl);
  const pulse = startLivenessCheck(redis, { startsFresh: false });
  return {
    redisUrl,
    redis,
    get isAvailable() {
      return redis.status === "ready" && pulse.isFresh;
    },
    noticeAnswer: pulse.noticeAnswer,
    close() {
      pulse.stop();
      disconnect(redis);
    },
  };
}
