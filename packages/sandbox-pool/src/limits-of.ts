// The limits of an agent's sandbox: the worker's, with what its dari.yml asks for.

import { parseMemorySize } from "@dari/domain";
import type { AgentSettings, AgentTurn } from "./agent-turn.ts";

/**
 * Returns the limits of a turn: what its agent asks for, or the default, at most the operators' bounds. They can be
 * lower than when the agent was published.
 */
export function limitsOf(settings: AgentSettings, { manifest }: Pick<AgentTurn, "manifest">): AgentSettings["limits"] {
  const { limits, bounds } = settings;
  const { memory, cpus } = manifest.runtime;
  const askedBytes = memory === undefined ? undefined : parseMemorySize(memory);
  const turnCpus = Math.min(cpus ?? limits.cpus ?? Infinity, bounds?.cpusMax ?? limits.cpus ?? Infinity);
  return {
    ...limits,
    memoryBytes: Math.min(askedBytes ?? limits.memoryBytes, memoryMaxOf(settings)),
    ...(turnCpus === Infinity ? {} : { cpus: turnCpus }),
  };
}

/** Returns the most memory that an agent can have here. */
export function memoryMaxOf({ limits, bounds }: AgentSettings): number {
  return bounds?.memoryMaxBytes ?? limits.memoryBytes;
}
