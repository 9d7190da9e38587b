// The limits of an agent's sandbox: the worker's, with what its dari.yml asks for.

import { parseMemorySize } from "@dari/domain";
import type { AgentSettings, AgentTurn } from "./agent-turn.ts";

type BoundTurn = Pick<AgentTurn, "manifest" | "turnBounds">;

/**
 * Returns the limits of a turn: what its agent asks for, or the default, at most the bounds of the operators and of the
 * organization. They can be lower than when the agent was published.
 */
export function limitsOf(settings: AgentSettings, turn: BoundTurn): AgentSettings["limits"] {
  const { limits, bounds } = settings;
  const { memory, cpus } = turn.manifest.runtime;
  const askedBytes = memory === undefined ? undefined : parseMemorySize(memory);
  const turnCpus = Math.min(
    cpus ?? limits.cpus ?? Infinity,
    bounds?.cpusMax ?? limits.cpus ?? Infinity,
    turn.turnBounds?.cpus ?? Infinity,
  );
  return {
    ...limits,
    memoryBytes: Math.min(askedBytes ?? limits.memoryBytes, memoryBoundOf(settings, turn).bytes),
    ...(turnCpus === Infinity ? {} : { cpus: turnCpus }),
  };
}

/** The most memory that an agent can have here. */
export interface MemoryBound {
  readonly bytes: number;
  /** What an operator can raise, for errors. */
  readonly setting: string;
}

export function memoryBoundOf({ limits, bounds }: AgentSettings, { turnBounds }: BoundTurn): MemoryBound {
  const platformBytes = bounds?.memoryMaxBytes ?? limits.memoryBytes;
  const ownBytes = turnBounds?.memoryBytes ?? Infinity;
  if (ownBytes < platformBytes) return { bytes: ownBytes, setting: "the organization's max_turn_memory_bytes" };
  return { bytes: platformBytes, setting: "DARI_TURN_MEMORY_MAX_BYTES" };
}
