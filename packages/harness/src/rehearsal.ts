// Why a template did not rehearse the SDK of its agent.

/**
 * The agent's code has `changed` the SDK or its runtime, or has set the SDK's `client`, `runner`, `api` or `tracing`.
 * `logging`: the SDK would log. `version`: the SDK has another interface. The rehearsal `failed`, or was too `late`.
 */
const obstacles = ["changed", "client", "runner", "api", "tracing", "logging", "version", "failed", "late"] as const;

export type RehearsalObstacle = (typeof obstacles)[number];

/** Returns what a guest says, if it is one of them. */
export function obstacleOf(value: unknown): { notRehearsed?: RehearsalObstacle } {
  const found = obstacles.find((one) => one === value);
  return found === undefined ? {} : { notRehearsed: found };
}
