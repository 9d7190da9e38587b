// Goes through what every turn does, with nobody to hear it, so that its code is compiled before a turn waits for it.

import { getEventListeners } from "node:events";
import { openTurn } from "./channel.mjs";
import { createContext } from "./context.mjs";
import { runFunction } from "./run-function.mjs";

/** Called before any code of the agent is loaded; runs none of it. */
export async function rehearse() {
  const frame = { context: { answers: {} }, limits: {}, workspace: "" };
  const channel = openTurn({ send: () => Promise.resolve(), sendLine: () => Promise.resolve() });
  const { context } = createContext(frame, channel, () => {});
  getEventListeners(context.signal, "abort");
  await runFunction(function* () { yield "said"; }, { prompt: "", context, limits: frame.limits, channel });
}
