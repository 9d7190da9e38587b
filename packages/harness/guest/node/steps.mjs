// Steps: a later attempt of the message gets the recorded result of a step, and does not run the step again.

import { AsyncLocalStorage } from "node:async_hooks";
import { msSince } from "./activity.mjs";
import { isDeeper } from "./json-depth.mjs";
import { isKey, keyRule } from "./request-input.mjs";
import { toText } from "./values.mjs";

const { parse, stringify } = JSON;
/** The name of the step that started the current code. Created with the first step, because it slows down promises. */
let current;

/** `steps` in the frame's context: what earlier attempts have recorded. */
export function createSteps({ limits, context: { steps: earlier, operationKey } }, channel, activity) {
  const results = createResults(limits, earlier);
  const calls = new Map();
  /** Steps that wait for the host, with what to call when they are stored. */
  const waiting = new Map();

  /**
   * Resolves with the recorded result of this call. Without one, calls `run(operationKey)`, and resolves with its
   * result once that is stored. Rejects as the call does, and then nothing is recorded.
   */
  async function step(name, run) {
    checkCall(name, run);
    const ordinal = (calls.get(name) ?? 0) + 1;
    calls.set(name, ordinal);
    const key = keyOf(name, ordinal);
    const known = results.get(key);
    if (known !== undefined) {
      await activity.record("step.completed", { name, ordinal, is_replayed: true });
      return parse(known);
    }
    const startedAt = performance.now();
    const json = await results.keep(key, () => runStep(name, () => run(`${operationKey}.${key}`), limits));
    const stored = new Promise((resolve) => waiting.set(key, resolve));
    await channel.send({ t: "step", name, ordinal, json });
    await stored;
    await activity.record("step.completed", { name, ordinal, is_replayed: false, duration_ms: msSince(startedAt) });
    return parse(json);
  }

  return {
    step,
    /** Whether a step waits for the host. */
    get hasWaiters() {
      return waiting.size > 0;
    },
    /** For the frames of the host. */
    accept({ name, ordinal }) {
      const key = keyOf(name, ordinal);
      waiting.get(key)?.();
      waiting.delete(key);
    },
  };
}

/** Returns the JSON of results by key, within the limits of the message. */
function createResults(limits, earlier = []) {
  const recorded = new Map(earlier.map(({ name, ordinal, json }) => [keyOf(name, ordinal), json]));
  let bytes = earlier.reduce((sum, { json }) => sum + Buffer.byteLength(json), 0);
  let running = 0;

  return {
    get: (key) => recorded.get(key),
    /** Resolves with the JSON that `run` returns. Rejects before the run if there is no place for another result. */
    async keep(key, run) {
      if (recorded.size + running >= limits.steps) {
        throw new RangeError(`step: a message can have at most ${limits.steps} steps`);
      }
      running += 1;
      try {
        const json = await run();
        const most = limits.stepBytesPerMessage;
        const total = bytes + Buffer.byteLength(json);
        if (total > most) throw new RangeError(`step: the results of a message can have at most ${most} bytes`);
        bytes = total;
        recorded.set(key, json);
        return json;
      } finally {
        running -= 1;
      }
    },
  };
}

function checkCall(name, run) {
  if (!isKey(name)) throw new TypeError(`step: the name ${keyRule}`);
  if (typeof run !== "function") throw new TypeError("step: the second argument must be a function");
  const outer = current?.getStore();
  // An attempt that gets the outer result does not make this call, so later calls would have other ordinals.
  if (outer !== undefined) {
    throw new Error(`step: "${name}" is called inside the step "${outer}"; call it before or after that one`);
  }
}

/** Returns the result's JSON. */
async function runStep(name, run, limits) {
  current ??= new AsyncLocalStorage();
  return toJson(name, await current.run(name, run), limits);
}

/** Unambiguous, because names have no `#`. */
const keyOf = (name, ordinal) => (ordinal === 1 ? name : `${name}#${ordinal}`);

function toJson(name, result, limits) {
  let json;
  try {
    json = stringify(result ?? null);
  } catch (error) {
    throw notJson(name, toText(error).split("\n")[0]);
  }
  if (json === undefined) throw notJson(name, `it is a ${typeof result}`);
  const bytes = Buffer.byteLength(json);
  if (bytes > limits.stepBytes) {
    throw new RangeError(
      `step: the result of "${name}" has ${bytes} bytes; the limit is ${limits.stepBytes}: return less, such as an id`,
    );
  }
  if (isDeeper(json, limits.jsonDepth)) {
    throw new RangeError(`step: the result of "${name}" is nested deeper than ${limits.jsonDepth} levels`);
  }
  return json;
}

const notJson = (name, why) => new TypeError(`step: the result of "${name}" cannot be written as JSON: ${why}`);
