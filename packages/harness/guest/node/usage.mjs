// What a turn has used at its models: counted by its runner, and reported by the agent's own code.

import { TurnError } from "./errors.mjs";

const namePattern = /^[a-z][a-z0-9_]{0,63}$/;
const namesMax = 32;
const isCount = (value) => typeof value === "number" && value >= 0 && value <= Number.MAX_SAFE_INTEGER;

/** Sums by name. Returns undefined if both are empty. */
export function addUsage(one, other) {
  if (one === undefined || other === undefined) return one ?? other;
  const names = Object.keys({ ...one, ...other });
  return Object.fromEntries(names.map((name) => [name, (one[name] ?? 0) + (other[name] ?? 0)]));
}

/** Returns what is wrong with `usage`, for the agent's author; undefined if it can be counted. */
export function usageProblem(usage) {
  const isMap = typeof usage === "object" && usage !== null && !Array.isArray(usage);
  if (!isMap) return "expected an object of numbers, such as {input_tokens: 10, output_tokens: 5}";
  const entries = Object.entries(usage);
  if (entries.length > namesMax) return `expected at most ${namesMax} names, found ${entries.length}`;
  const wrong = entries.find(([name, value]) => !namePattern.test(name) || !isCount(value));
  if (wrong === undefined) return undefined;
  return `${wrong[0]}: expected a snake_case name of at most 64 characters and a number that is not negative`;
}

/** Collects reports and sends each to the host at once, so that they survive if the process is killed. */
export function createUsageReport(channel) {
  let reported;
  return {
    /** Adds to the turn's usage. Throws TypeError for what cannot be counted. */
    add(usage) {
      const problem = usageProblem(usage);
      if (problem !== undefined) throw new TypeError(`reportUsage: ${problem}`);
      reported = addUsage(reported, usage);
      return channel.send({ t: "usage", usage: reported });
    },
    /** Includes what the runner has counted. */
    with: (used) => addUsage(reported, used),
  };
}

/** Returns the `usage` of a function's `{parts, usage}`. Throws `invalid_output` for what cannot be counted. */
export function usageOfResult(value) {
  const { usage } = value;
  if (usage === undefined || usage === null) return {};
  const problem = usageProblem(usage);
  if (problem === undefined) return { usage };
  throw new TurnError("invalid_output", `the agent's result is not valid: usage: ${problem}`);
}
