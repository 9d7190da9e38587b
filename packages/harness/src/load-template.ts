// A guest that loads its agent once and is forked for each turn to come, from the host's side.

import { limits } from "@dari/domain";
import type { Duplex } from "node:stream";
import { ignoreErrors, sendFrame } from "./frames.ts";
import { protocolVersion, type Entry } from "./protocol.ts";
import { aborted, ended, guestFrames } from "./run-turn.ts";

/** A started guest that will be forked, and the program that holds it. */
export interface UnloadedTemplate {
  readonly channel: Duplex;
  /** Holds the guest's process, which forks once `tell` is called, and at nothing else. Text: why it cannot be held. */
  hold(tell: () => void): Promise<string | undefined>;
}

/**
 * Has a guest that was started as a template load its agent, and be held. Undefined: it can be forked, and each child
 * goes on as a guest that has loaded the agent. Text: why not; a turn that loads the agent by itself says more of it.
 */
export async function loadTemplate(
  template: UnloadedTemplate,
  o: {
    entry: Entry;
    /** The path inside the sandbox. */
    imageDir: string;
    sdk: string;
    /** Nobody waits for it any more. */
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
    const why = await Promise.race([
      readLoaded(channel),
      aborted(late, over.signal).then(() => "it was not loaded in time"),
    ]);
    return why ?? (await template.hold(() => sendFrame(channel, { t: "fork" })));
  } finally {
    over.abort(ended);
  }
}

async function readLoaded(channel: Duplex): Promise<string | undefined> {
  const frames = guestFrames(channel);
  try {
    const ready = await frames.next();
    if (ready.value?.t !== "ready" || ready.value.protocol !== protocolVersion) return "it does not start";
    const loaded = await frames.next();
    if (loaded.value?.t !== "loaded") return "its code cannot be loaded";
    return loaded.value.hasLeft ? "its code has made files in /tmp or /dev/shm" : undefined;
  } catch {
    return "it says what no guest says";
  }
}
