// The second argument of an agent's function.

import { TurnError } from "./errors.mjs";
import { isDeeper } from "./json-depth.mjs";
import { createRequestInput } from "./request-input.mjs";

const { stringify } = JSON;
/** Where the package @dari/agent finds the context of the running turn. */
const contextSlot = Symbol.for("dari.agent.context");
const eventNameChars = 200;

/**
 * Returns the context, and the function that aborts its signal. `suspend` sends the input that the agent asks for;
 * `report` receives usage; `activity` records tool calls; `inbox` has the messages that steer the turn; `steps` keeps
 * the results of steps.
 */
export function createContext(frame, channel, { suspend, report, activity, inbox, steps }) {
  const controller = new AbortController();
  const { limits } = frame;
  const { answers, earlierMessages: _earlier, steps: _recorded, ...context } = frame.context;
  let events = 0;

  /** Records an event. The promise resolves when the host accepts more. Throws if a limit is exceeded. */
  function emit(type, data = null) {
    if (typeof type !== "string" || type === "" || type.length > eventNameChars) {
      throw new TypeError(`emit: the type must be a string of 1 to ${eventNameChars} characters`);
    }
    const line = stringify({ t: "event", name: type, data });
    if (stringify(data) === undefined) throw new TypeError("emit: the data cannot be written as JSON");
    if (Buffer.byteLength(line) > limits.eventBytes) {
      throw new RangeError(`emit: an event can have at most ${limits.eventBytes} bytes`);
    }
    if (isDeeper(line, limits.jsonDepth)) {
      throw new RangeError(`emit: the data can be nested at most ${limits.jsonDepth - 1} levels deep`);
    }
    if (events >= limits.events) throw new RangeError(`emit: an attempt can emit at most ${limits.events} events`);
    events += 1;
    return channel.sendLine(line);
  }

  return {
    context: {
      ...context,
      workspace: frame.workspace,
      emit,
      tool: activity.tool,
      step: steps.step,
      reportUsage: (usage) => report.add(usage),
      requestInput: createRequestInput(answers, limits, suspend),
      inbox,
      signal: controller.signal,
    },
    cancel: (reason) =>
      controller.abort(
        new TurnError(reason, reason === "timeout" ? "the turn ran into its time limit" : "the turn was cancelled"),
      ),
  };
}

/** Lets code of the agent that did not get the context find it. Undefined: there is no turn. */
export function exposeContext(context) {
  Object.defineProperty(globalThis, contextSlot, { value: context, configurable: true, enumerable: false });
}
