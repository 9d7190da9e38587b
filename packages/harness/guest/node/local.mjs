// Runs one turn in this process, without a host and without a sandbox.

import { exposeContext } from "./context.mjs";
import { findExport, kindOf, prepareRunner } from "./entrypoint.mjs";
import { Guest } from "./guest.mjs";

/**
 * Runs `found` ({value, file}), or the export of `entry` in `imageDir`, for the request of a `run` frame. `inbox`: the
 * messages that steer the turn, which wait from its start. `onFrame` gets each frame before the last. Resolves with the
 * last frame: `result`, `error` or `ask`.
 */
export async function runInProcess(request, { found, signal, inbox = [], onFrame }) {
  let end;
  const ended = new Promise((resolve) => (end = resolve));
  const send = async (frame) => {
    if (frame.t === "started") {
      guest.take({ t: "go" });
      if (signal?.aborted) cancel();
      if (inbox.length > 0) guest.take({ t: "inbox" });
    } else if (frame.t === "take") guest.take({ t: "taken", messages: inbox });
    else if (["result", "error", "ask"].includes(frame.t)) end(frame);
    else {
      onFrame(frame);
      if (frame.t === "step") guest.take({ ...frame, t: "stepped" });
    }
  };
  const sendLine = (line) => send(JSON.parse(line));
  const guest = new Guest({ send, sendLine, ref() {}, unref() {} }, load(request, found));
  const cancel = () => guest.take({ t: "cancel", reason: "cancelled" });
  signal?.addEventListener("abort", cancel, { once: true });
  // Nothing else keeps a process alive whose agent waits for something that never happens, such as an input's answer.
  const alive = setInterval(() => {}, 2 ** 30);
  try {
    guest.take({ ...request, t: "run" });
    return await ended;
  } finally {
    clearInterval(alive);
    signal?.removeEventListener("abort", cancel);
    exposeContext(undefined);
  }
}

async function load({ entry, imageDir, sdk }, given) {
  const found = given === undefined ? await findExport(entry, imageDir) : { kind: kindOf(given.value), ...given };
  return { found, runner: await prepareRunner(found, { entry, sdk }) };
}
