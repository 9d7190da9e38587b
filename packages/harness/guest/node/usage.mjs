// What a turn has used at its models: what its runner knows, and what the agent's own code has reported.

import { TurnError } from "./errors.mjs";

const namePattern = /^[a-z][a-z0-9_]{0,63}$/;
const namesMax = 32;
const isCount = (value) => typeof value === "number" && value >= 0 && value <= Number.MAX_SAFE_INTEGER;

/** Adds up by name. Undefined where neither has anything. */
export function addUsage(one, other) {
  if (one === undefined || other === undefined) return one ?? other;
  const names = Object.keys({ ...one, ...other });
  return Object.fromEntries(names.map((name) => [name, (one[name] ?? 0) + (other[name] ?? 0)]));
}

/** What is wrong with `usage`, to be said to the agent's author; undefined where it can be counted. */
export function usageProblem(usage) {
  const isMap = typeof usage === "object" && usage !== null && !Array.isArray(usage);
  if (!isMap) return "expected an object of numbers, such as {input_tokens: 10, output_tokens: 5}";
  const entries = Object.entries(usage);
  if (entries.length > namesMax) return `expected at most ${namesMax} names, found ${entries.length}`;
  const wrong = entries.find(([name, value]) => !namePattern.test(name) || !isCount(value));
  if (wrong === undefined) return undefined;
  return `${wrong[0]}: expected a snake_case name of at most 64 characters and a number that is not negative`;
}

/** Collects what is reported, and tells the host at once: a process that is killed has reported it all the same. */
export function createUsageReport(channel) {
  let reported;
  return {
    /** Adds to what the turn has used. Throws TypeError for what cannot be counted. */
    add(usage) {
      const problem = usageProblem(usage);
      if (problem !== undefined) throw new TypeError(`reportUsage: ${problem}`);
      reported = addUsage(reported, usage);
      return channel.send({ t: "usage", usage: reported });
    },
    /** With what the runner has used. */
    with: (used) => addUsage(reported, used),
  };
}

/** The `usage` of a function's `{parts, usage}`. Throws `invalid_output` for what cannot be counted. */
export function usageOfResult(value) {
  const { usage } = value;
  if (usage === undefined || usage === null) return {};
  const problem = usageProblem(usage);
  if (problem === undefined) return { usage };
  throw new TurnError("invalid_output", `the agent's result is not valid: usage: ${problem}`);
}
