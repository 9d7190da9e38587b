// Checks with a started guest whether an entrypoint can be loaded and run. Runs the module's top level, never the
// export.

import { failure, type Failure } from "@dari/domain";
import type { Duplex } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import { exitFailure, type ProcessExit } from "./exit-failure.ts";
import { LineTooLongError, sendFrame } from "./frames.ts";
import { ProtocolError, type Entry } from "./protocol.ts";
import { guestFrames } from "./run-turn.ts";

export type EntrypointCheck =
  | { readonly ok: true; readonly kind: string }
  | { readonly ok: false; readonly failure: Failure; readonly stack?: string };

/** `kind` is the export's kind: `function`, `async_generator`, … The caller kills the guest afterwards. */
export async function checkEntrypoint(o: {
  channel: Duplex;
  exited: Promise<ProcessExit>;
  entry: Entry;
  /** Both paths are inside the sandbox. */
  imageDir: string;
  workspace: string;
  sdk: string;
  timeoutMs: number;
}): Promise<EntrypointCheck> {
  const over = new AbortController();
  o.channel.on("error", () => {});
  const late = delay(o.timeoutMs, undefined, { signal: over.signal });
  late.catch(() => {});
  const { entry, imageDir, workspace, sdk } = o;
  sendFrame(o.channel, { t: "check", entry, imageDir, workspace, sdk });
  try {
    const answer = await Promise.race([ask(o), late]);
    if (answer !== undefined) return answer;
    const message = `the entrypoint was not loaded within ${o.timeoutMs / 1000} seconds`;
    return { ok: false, failure: failure("agent_error", message) };
  } finally {
    over.abort();
  }
}

async function ask(o: { channel: Duplex; exited: Promise<ProcessExit> }): Promise<EntrypointCheck> {
  try {
    for await (const frame of guestFrames(o.channel)) {
      if (frame.t === "checked") return { ok: true, kind: frame.kind };
      if (frame.t !== "error") continue;
      const found = failure(frame.code, frame.message);
      return { ok: false, failure: found, ...(frame.stack === "" ? {} : { stack: frame.stack }) };
    }
    return { ok: false, failure: exitFailure(await o.exited) };
  } catch (error) {
    if (error instanceof ProtocolError || error instanceof LineTooLongError) {
      return { ok: false, failure: failure("agent_error", error.message) };
    }
    throw error;
  }
}
