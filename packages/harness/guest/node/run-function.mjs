// Runs a function of any colour and turns what it returns or yields into the parts of a result.

import { TurnError } from "./errors.mjs";

const { stringify } = JSON;
const deltaChars = 64 * 1024;
const frameRoomBytes = 1024;
const notJson = "the agent's result cannot be written as JSON";

/**
 * The rules: text is one part; `{parts}` is taken as it is; nothing is no part; other values are their JSON. What is
 * yielded is a preview, and joined it is the result, unless a generator also returns something: then that is it.
 */
export async function runFunction(agent, { prompt, context, limits, channel }) {
  const returned = await agent(prompt, context);
  const iterator = iteratorOf(returned);
  if (iterator === undefined) return toParts(returned, limits);
  const joined = [];
  let bytes = 0;
  for (;;) {
    const step = await iterator.next();
    if (step.done) {
      const final = await step.value;
      return toParts(final === undefined || final === null ? joined.join("") : final, limits);
    }
    const text = toText(await step.value);
    bytes += Buffer.byteLength(text);
    if (bytes > limits.outputBytes) throw tooLarge(limits);
    joined.push(text);
    for (const piece of piecesOf(text)) await channel.send({ t: "delta", text: piece });
  }
}

/** Cut so that no character is split. */
function* piecesOf(text) {
  for (let at = 0; at < text.length; ) {
    const splits = /[\uD800-\uDBFF]/.test(text.charAt(at + deltaChars - 1));
    const end = at + deltaChars + (splits ? 1 : 0);
    yield text.slice(at, end);
    at = end;
  }
}

/** The iterator of a generator or a stream; text, lists and other iterables are values. */
function iteratorOf(value) {
  if (typeof value !== "object" || value === null) return undefined;
  if (typeof value[Symbol.asyncIterator] === "function") return value[Symbol.asyncIterator]();
  return typeof value.next === "function" ? value : undefined;
}

function toText(value) {
  if (typeof value === "string") return value;
  if (value === undefined || value === null) return "";
  if (isPartsObject(value)) {
    throw new TurnError("invalid_output", "the agent yielded {parts}: yield text, and return {parts}");
  }
  return toJson(value);
}

function toParts(value, limits) {
  if (value === undefined || value === null || value === "") return [];
  const parts = isPartsObject(value)
    ? value.parts
    : [{ type: "text", text: typeof value === "string" ? value : toJson(value) }];
  // The host counts exactly; here it only has to fit into one line.
  if (Buffer.byteLength(toJson(parts)) > limits.frameBytes - frameRoomBytes) throw tooLarge(limits);
  return parts;
}

const isPartsObject = (value) => typeof value === "object" && "parts" in value;

function toJson(value) {
  let json;
  try {
    json = stringify(value);
  } catch (error) {
    throw new TurnError("invalid_output", `${notJson}: ${error.message.split("\n")[0]}`);
  }
  if (json === undefined) {
    throw new TurnError("invalid_output", `${notJson}: it is a ${typeof value}`);
  }
  return json;
}

function tooLarge(limits) {
  return new TurnError("output_too_large", `the agent's result has more than ${limits.outputBytes} bytes`);
}
