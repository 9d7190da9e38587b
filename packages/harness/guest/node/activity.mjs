// What the agent does, as events of the session: model requests, tool calls, handoffs. An event that cannot be recorded
// never fails the agent.

import { describeError } from "./errors.mjs";
import { createFit, toText } from "./values.mjs";

const { stringify } = JSON;
const nameChars = 200;
const previewChars = 64 * 1024;
export const errorChars = 8_000;

export function createActivity(limits, channel) {
  let recorded = 0;
  let omitted = 0;
  let previewBytes = 0;
  const fit = createFit(limits, channel, () => recorded < limits.activityEvents);

  /** Resolves when the host accepts more. Undefined fields are left out. */
  function record(type, data) {
    if (recorded < limits.activityEvents) {
      recorded += 1;
      return channel.send({ t: "activity", type, data });
    }
    omitted += 1;
    const isPowerOfTwo = (omitted & (omitted - 1)) === 0;
    return isPowerOfTwo ? channel.send(omittedFrame()) : Promise.resolve();
  }

  const omittedFrame = () => ({ t: "omitted", count: omitted });

  /**
   * Shows a piece of text without storing it: `reasoning.delta` with {ordinal, text}, or `tool.arguments_delta` with
   * {call_id, name, text}. Pieces over the limit, or without one of these, are not sent. Resolves when the host accepts
   * more.
   */
  async function preview(type, { text, ...fields }) {
    const isWhole = typeof text === "string" && !Object.values(fields).includes(undefined);
    if (!isWhole || previewBytes > limits.activityPreviewBytes) return;
    for (const piece of piecesOf(text, previewChars)) {
      const data = { ...fields, text: piece };
      previewBytes += Buffer.byteLength(stringify(data));
      if (previewBytes <= limits.activityPreviewBytes) await channel.send({ t: "preview", type, data });
    }
  }

  /** Records a call of `run(args)` and its result. Resolves or rejects as the call does. */
  async function tool(name, args, run) {
    if (typeof name !== "string" || name === "" || name.length > nameChars) {
      throw new TypeError(`tool: the name must be a string of 1 to ${nameChars} characters`);
    }
    if (typeof run !== "function") throw new TypeError("tool: the third argument must be a function");
    const call = { call_id: newCallId(), name: nameOf(name) };
    const startedAt = performance.now();
    const complete = (is_error, result) =>
      record("tool.call_completed", { ...call, ...fit("result", result), is_error, duration_ms: msSince(startedAt) });
    await record("tool.call_requested", { ...call, kind: "function", ...fit("arguments", args) });
    let result;
    try {
      result = await run(args);
    } catch (error) {
      await complete(true, toText(error));
      throw error;
    }
    await complete(false, result);
    return result;
  }

  return { record, preview, fit, tool, omittedFrame: () => (omitted === 0 ? undefined : omittedFrame()) };
}

export const msSince = (startedAt) => Math.max(0, Math.round(performance.now() - startedAt));

/**
 * Returns a text of at most `chars` UTF-16 units. A pair of surrogates that the cut breaks becomes one U+FFFD, so that
 * the worker accepts the text and sees by its length that it was cut.
 */
export const cutText = (text, chars) => text.slice(0, chars).toWellFormed();

/** Splits text without splitting a character. */
export function* piecesOf(text, chars) {
  for (let at = 0; at < text.length;) {
    const splits = /[\uD800-\uDBFF]/.test(text.charAt(at + chars - 1));
    const end = at + chars + (splits ? 1 : 0);
    yield text.slice(at, end);
    at = end;
  }
}

/** Returns a name for an event; undefined if there is none. */
export const nameOf = (value) => (typeof value === "string" && value !== "" ? cutText(value, nameChars) : undefined);

export const errorOf = (error) => cutText(toText(error), errorChars);

/** Returns an error's stack, or its message. */
export function stackOf(error) {
  const { message, stack } = describeError(error);
  return stack || message;
}

const newCallId = () => `call_${Buffer.from(crypto.getRandomValues(new Uint8Array(8))).toString("hex")}`;
