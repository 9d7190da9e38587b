// Runs any kind of function and turns what it returns or yields into the parts of a result.

import { TurnError } from "./errors.mjs";
import { Inbox } from "./inbox.mjs";
import { createOutput, isPartsObject, textOf } from "./output.mjs";
import { usageOfResult } from "./usage.mjs";

/**
 * Text becomes one part; `{parts, usage?}` is used unchanged; null and undefined become no part; other values become
 * JSON. Yielded values are previews, and joined they are the result, unless a generator also returns a value: then that
 * is the result. If `runMade` returns something for the returned value, that comes before these rules.
 */
export async function runFunction(agent, turn, runMade = () => undefined) {
  const output = createOutput(turn);
  Inbox.replay(turn.inbox, turn.earlier);
  const returned = await agent(turn.prompt, turn.context);
  const result = await runMade(returned);
  if (result) return result;
  const iterator = iteratorOf(returned);
  if (iterator === undefined) return resultOf(returned, output);
  for (;;) {
    const step = await iterator.next();
    if (step.done) {
      const final = await step.value;
      return resultOf(final === undefined || final === null ? output.joined() : final, output);
    }
    await output.add(textOfYield(await step.value));
  }
}

function resultOf(value, output) {
  return { parts: output.toParts(value), ...(isPartsObject(value) ? usageOfResult(value) : {}) };
}

/** Returns the iterator of a generator or a stream. Text, lists and other iterables are values. */
function iteratorOf(value) {
  if (typeof value !== "object" || value === null) return undefined;
  if (typeof value[Symbol.asyncIterator] === "function") return value[Symbol.asyncIterator]();
  return typeof value.next === "function" ? value : undefined;
}

function textOfYield(value) {
  if (value === undefined || value === null) return "";
  if (isPartsObject(value)) {
    throw new TurnError("invalid_output", "the agent yielded {parts}: yield text, and return {parts}");
  }
  return textOf(value);
}
