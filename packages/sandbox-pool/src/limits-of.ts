// The limits of an agent's sandbox: the worker's, with what its dari.yml asks for.

import { parseMemorySize } from "@dari/domain";
import type { AgentSettings, AgentTurn } from "./agent-turn.ts";

/** Returns the limits of a turn. What an agent asks for was checked when it was published; operators can lower it. */
export function limitsOf(settings: AgentSettings, { manifest }: Pick<AgentTurn, "manifest">): AgentSettings["limits"] {
  const { limits, bounds } = settings;
  const { memory, cpus } = manifest.runtime;
  const askedBytes = memory === undefined ? undefined : parseMemorySize(memory);
  const cpusMax = bounds?.cpusMax ?? limits.cpus ?? Infinity;
  return {
    ...limits,
    ...(askedBytes === undefined ? {} : { memoryBytes: Math.min(askedBytes, memoryMaxOf(settings)) }),
    ...(cpus === undefined ? {} : { cpus: Math.min(cpus, cpusMax) }),
  };
}

/** Returns the most memory that an agent can have here. */
export function memoryMaxOf({ limits, bounds }: AgentSettings): number {
  return bounds?.memoryMaxBytes ?? limits.memoryBytes;
}
