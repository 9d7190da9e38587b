// Checks with a started guest whether an entrypoint can be loaded and run. Runs the module's top level, never the
// export.

import { failure, type Failure } from "@dari/domain";
import type { Duplex } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import { toExitFailure, type ProcessExit } from "./explain-exit.ts";
import { ignoreErrors, sendFrame } from "./read-frames.ts";
import type { Entry } from "./protocol.ts";
import { readGuestFrames, toProtocolFailure } from "./run-turn.ts";

export type EntrypointCheckResult =
  /** `kind`: what the entrypoint exports, for example `function` or `async_generator`. */
  | { readonly ok: true; readonly kind: string }
  | { readonly ok: false; readonly failure: Failure; readonly stack?: string };

/** Loads the entrypoint in a started guest, and does not call it. The caller kills the guest afterwards. */
export async function checkEntrypoint(o: {
  channel: Duplex;
  exited: Promise<ProcessExit>;
  entry: Entry;
  /** A path inside the sandbox. */
  imageDir: string;
  /** A path inside the sandbox. */
  workspace: string;
  /** The SDK in the manifest. */
  sdk: string;
  timeoutMs: number;
}): Promise<EntrypointCheckResult> {
  const over = new AbortController();
  ignoreErrors(o.channel);
  const late = delay(o.timeoutMs, undefined, { signal: over.signal });
  late.catch(() => {});
  const { entry, imageDir, workspace, sdk } = o;
  sendFrame(o.channel, { t: "check", entry, imageDir, workspace, sdk });
  try {
    const answer = await Promise.race([readCheckResult(o), late]);
    if (answer !== undefined) return answer;
    const message =
      `the entrypoint was not loaded within ${o.timeoutMs / 1000} seconds; ` +
      "move slow work from the module's top level into the agent's function";
    return { ok: false, failure: failure("agent_error", message) };
  } finally {
    over.abort();
  }
}

async function readCheckResult(o: { channel: Duplex; exited: Promise<ProcessExit> }): Promise<EntrypointCheckResult> {
  try {
    for await (const frame of readGuestFrames(o.channel)) {
      if (frame.t === "checked") return { ok: true, kind: frame.kind };
      if (frame.t !== "error") continue;
      const found = failure(frame.code, frame.message);
      return { ok: false, failure: found, ...(frame.stack === "" ? {} : { stack: frame.stack }) };
    }
    return { ok: false, failure: toExitFailure(await o.exited) };
  } catch (error) {
    const found = toProtocolFailure(error);
    if (found === undefined) throw error;
    return { ok: false, failure: found };
  }
}
