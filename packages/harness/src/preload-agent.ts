// Prepares a started guest before there is a turn for it.

import { limits } from "@dari/domain";
import type { Duplex } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import { ignoreErrors, sendFrame } from "./read-frames.ts";
import { protocolVersion, type Entry } from "./protocol.ts";
import { waitForAbort, turnEndedReason, readGuestFrames } from "./run-turn.ts";

/**
 * Makes the guest load the entrypoint and wait. The turn that later runs in the guest gets the result, as if the code
 * had been loaded for it. Reads nothing from the channel in between.
 */
export function preloadAgent(o: {
  channel: Duplex;
  entry: Entry;
  /** The image's directory inside the sandbox. */
  imageDir: string;
  sdk: string;
}): void {
  ignoreErrors(o.channel);
  sendFrame(o.channel, { t: "load", entry: o.entry, imageDir: o.imageDir, sdk: o.sdk });
}

const running = new WeakMap<Duplex, Promise<boolean>>();

/**
 * Resolves with true once the guest runs, so that everything around it is in place; it may still be loading its agent.
 * Resolves with false if it has ended, says something else, or has not started when `signal` aborts. Reads nothing but
 * this from the channel, once.
 */
export async function waitForGuest(channel: Duplex, signal?: AbortSignal): Promise<boolean> {
  const known = running.get(channel) ?? readFirst(channel);
  running.set(channel, known);
  if (signal === undefined) return known;
  const over = new AbortController();
  try {
    return await Promise.race([known, waitForAbort(signal, over.signal).then(() => false)]);
  } finally {
    over.abort(turnEndedReason);
  }
}

async function readFirst(channel: Duplex): Promise<boolean> {
  const over = new AbortController();
  const late = delay(limits.agentLoadMs, undefined, { signal: over.signal }).catch(() => undefined);
  try {
    const first = await Promise.race([readGuestFrames(channel).next(), late]);
    return first?.value?.t === "ready" && first.value.protocol === protocolVersion;
  } catch {
    return false;
  } finally {
    over.abort();
  }
}
