// The host's side of a guest that loads its agent once and is forked for each turn.

import { limits } from "@dari/domain";
import type { Duplex } from "node:stream";
import { ignoreErrors, sendFrame } from "./read-frames.ts";
import { protocolVersion, type Entry } from "./protocol.ts";
import { waitForAbort, turnEndedReason, readGuestFrames } from "./run-turn.ts";

/** A started guest that will be forked, and the program that controls it. */
export interface UnloadedTemplate {
  readonly channel: Duplex;
  /**
   * Makes the guest's process fork once `tell` is called, and do nothing else. `threads`: how many threads it has
   * besides the first one. Resolves with why that is not possible, or undefined.
   */
  hold(tell: () => void, threads: number): Promise<string | undefined>;
}

/**
 * Makes a guest that was started as a template load its agent, and stops it for forking. Returns undefined if it can be
 * forked: each child continues as a guest that has loaded the agent. Otherwise returns the reason; a turn that loads
 * the agent itself shows more.
 */
export async function loadTemplate(
  template: UnloadedTemplate,
  o: {
    entry: Entry;
    /** The path inside the sandbox. */
    imageDir: string;
    sdk: string;
    /** Aborts when no caller waits for it. */
    signal: AbortSignal;
  },
): Promise<string | undefined> {
  const { entry, imageDir, sdk, signal } = o;
  const { channel } = template;
  ignoreErrors(channel);
  sendFrame(channel, { t: "load", entry, imageDir, sdk });
  const over = new AbortController();
  const late = AbortSignal.any([signal, AbortSignal.timeout(limits.agentLoadMs)]);
  try {
    const loaded = await Promise.race([
      readLoaded(channel),
      waitForAbort(late, over.signal).then(() => "it was not loaded in time"),
    ]);
    if (typeof loaded === "string") return loaded;
    return await template.hold(() => sendFrame(channel, { t: "fork" }), loaded.threads);
  } finally {
    over.abort(turnEndedReason);
  }
}

/** Resolves with the reason as text if it cannot be forked. */
async function readLoaded(channel: Duplex): Promise<string | { readonly threads: number }> {
  const frames = readGuestFrames(channel);
  try {
    const ready = await frames.next();
    if (ready.value?.t !== "ready" || ready.value.protocol !== protocolVersion) return "it does not start";
    const loaded = await frames.next();
    if (loaded.value?.t !== "loaded") return "its code cannot be loaded";
    if (loaded.value.hasLeft) return "its code has made files in /tmp or /dev/shm";
    return loaded.value.isBusy ? "a task that its code started at import has not ended" : loaded.value;
  } catch {
    return "it says what no guest says";
  }
}
