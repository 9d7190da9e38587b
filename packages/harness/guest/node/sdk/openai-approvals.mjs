// Tools of an `Agent` that need approval (`needsApproval`): the run stops, its state is stored in the session's memory,
// and the approval is an input of the message (context.requestInput). The attempt with the answer continues from that
// state.

import { createHash } from "node:crypto";

const { stringify } = JSON;
const promptChars = 2_000;
/** Number of characters shown from the end of a long prompt. The hidden middle is replaced by its length. */
const promptEndChars = 500;
const callChars = 80;

const decision = {
  type: "object",
  properties: {
    approved: { type: "boolean" },
    reason: { type: "string", description: "Told to the model where it was refused." },
  },
  required: ["approved"],
  additionalProperties: false,
};

/** Returns what the memory stores of a waiting run. */
export const waitingRun = (stream, context) => ({ messageId: context.messageId, state: stream.state.toString() });

/** Returns the state of the run that waits in this message; undefined if there is none. */
export async function resumeRun(sdk, agent, memory, context) {
  const waiting = memory?.waiting;
  if (waiting === undefined || waiting.messageId !== context.messageId) return undefined;
  const state = await sdk.RunState.fromString(agent, waiting.state);
  // Its functions must be this attempt's.
  state._context.context = context;
  return state;
}

/** Asks for one approval after the other, and applies the decisions. */
export async function decide(state, context) {
  for (const item of state.getInterruptions()) {
    const name = item.name ?? item.rawItem?.name ?? "a tool";
    const asked = `${item.agent?.name ?? "The agent"} wants to use ${name} with ${argumentsOf(item)}`;
    const answer = await context.requestInput(keyOf(state, item, name), decision, { prompt: cut(asked) });
    if (answer.approved) state.approve(item);
    else state.reject(item, answer.reason === undefined ? {} : { message: answer.reason });
  }
}

const argumentsOf = ({ arguments: given, rawItem }) => given ?? rawItem?.arguments ?? stringify(rawItem ?? {});

/**
 * The key is the same in every attempt, because it is computed from the stored state. Servers of models reuse ids for
 * new calls, so it also covers everything that is decided, and how often the model had answered by then.
 */
function keyOf(state, item, name) {
  const { rawItem = {}, agent } = item;
  const call = String(rawItem.callId ?? rawItem.id ?? name);
  const asked = stringify([agent?.name, name, argumentsOf(item), call, state._modelResponses.length]);
  const digest = createHash("sha256").update(asked).digest("hex").slice(0, 16);
  return `approve-${call.replaceAll(/[^A-Za-z0-9._:-]/g, "-").slice(-callChars)}-${digest}`;
}

function cut(text) {
  if (text.length <= promptChars) return text;
  const note = (left) => ` [${left} characters are not shown here] `;
  const start = promptChars - promptEndChars - note(text.length).length;
  const end = text.length - promptEndChars;
  return (text.slice(0, start) + note(end - start) + text.slice(end)).toWellFormed();
}
