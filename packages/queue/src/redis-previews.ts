// Previews over Redis pub/sub: a channel per session, which a process subscribes to while it watches that session.

import { createListeners, decodePreview, encodePreview, type Preview, type Previews } from "@dari/domain";
import type { Redis } from "ioredis";
import { startLivenessCheck, type LivenessCheck } from "./liveness-check.ts";
import { connectFailingFast, connectWaiting, disconnect } from "./connect-redis.ts";

export interface RedisPreviews extends Previews {
  readonly available: boolean;
}

export function createRedisPreviews(redisUrl: string, prefix: string): RedisPreviews {
  const publisher = connectFailingFast(redisUrl);
  // Agents write only during turns.
  const pulse = startLivenessCheck(publisher, { startsFresh: false, onDemand: true });
  const channelPrefix = `${prefix}:preview:`;
  let subscriber: Redis | undefined;
  let hearing: LivenessCheck | undefined;
  const listeners = createListeners<Preview>({
    onFirst: (sessionId) =>
      void subscribing()
        .subscribe(`${channelPrefix}${sessionId}`)
        .catch(() => undefined),
    onLast: (sessionId) =>
      void subscribing()
        .unsubscribe(`${channelPrefix}${sessionId}`)
        .catch(() => undefined),
  });

  /** Only a process with viewers needs the connection. ioredis subscribes again after a lost connection. */
  const subscribing = (): Redis => {
    if (subscriber !== undefined) return subscriber;
    subscriber = connectWaiting(redisUrl);
    // Replaces a subscription whose connection is dead.
    hearing = startLivenessCheck(subscriber, { startsFresh: false });
    subscriber.on("message", (channel: string, text: string) => {
      const preview = decodePreview(text);
      if (preview !== undefined) listeners.call(channel.slice(channelPrefix.length), preview);
    });
    return subscriber;
  };

  return {
    get available() {
      return publisher.status === "ready" && pulse.isFresh;
    },
    send(sessionId, preview) {
      const text = encodePreview(preview);
      if (text !== undefined) publisher.publish(`${channelPrefix}${sessionId}`, text).catch(() => undefined);
    },
    follow: listeners.add,
    async isFollowed(sessionId) {
      const counts = await publisher.pubsub("NUMSUB", `${channelPrefix}${sessionId}`).catch(() => undefined);
      return counts?.[1] !== 0;
    },
    close() {
      pulse.stop();
      hearing?.stop();
      disconnect(publisher);
      if (subscriber !== undefined) disconnect(subscriber);
      return Promise.resolve();
    },
  };
}
