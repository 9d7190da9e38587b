// The reconciler's settings. The only file of this program that reads the environment.

import { checkServiceSettings, serviceSettings } from "@dari/control/assembly";
import { limits } from "@dari/domain";
import { integer, readConfig, type ConfigOf, type ConfigProblem, type Environment } from "@dari/runtime";

export const reconcilerSettings = {
  ...serviceSettings,
  reapEveryMs: integer({
    env: "DARI_REAP_EVERY_MS",
    unit: "ms",
    min: 100,
    default: limits.reapEveryMs,
    about: "Time between two searches for lost workers, in milliseconds; at most a third of DARI_LEASE_MS.",
  }),
} as const;

export type ReconcilerConfig = ConfigOf<typeof reconcilerSettings>;

export function readReconcilerConfig(env: Environment = process.env): ReconcilerConfig {
  return readConfig(reconcilerSettings, env, {
    check: (settings) => [...checkServiceSettings(settings), ...checkPace(settings)],
  });
}

/** A lost worker's turn waits for the end of its lease and then for the next run. The lease must be the longer wait. */
function checkPace({ reapEveryMs, leaseMs }: ReconcilerConfig): ConfigProblem[] {
  const maxMs = Math.floor(leaseMs / limits.leaseRenewals);
  if (reapEveryMs <= maxMs) return [];
  const message = `expected at most a third of DARI_LEASE_MS, ${maxMs} of ${leaseMs}, got ${reapEveryMs}`;
  return [{ env: "DARI_REAP_EVERY_MS", message }];
}
