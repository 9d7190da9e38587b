// Sandboxes of agents: preloaded for future turns, forked, kept between turns, and evicted.

export { agentRecipe } from "./agent-recipe.ts";
export { type AgentContext, type AgentSettings } from "./agent-turn.ts";
export { noGuestScript, openGuestScript } from "./guest-script.ts";
export { limitsOf, memoryBoundOf, type MemoryBound } from "./limits-of.ts";
export { showImportOutput } from "./import-output.ts";
export { type PendingKeep } from "./last-turns.ts";
export {
  createMemoryReader,
  kernelFiles,
  listGroupDirs,
  readMemoryLimit,
  type KernelFiles,
  type Memory,
} from "./memory.ts";
export { planMemory, type MemoryPlan } from "./memory-plan.ts";
export { type MemoryRoom } from "./memory-room.ts";
export { createSandboxPool, type SandboxPool } from "./pool.ts";
export { type ServingSandbox } from "./pooled-sandbox.ts";
export { createRunningTurns, type AdmittedTurn, type RunningTurnsOptions, type TurnMemory } from "./running-turns.ts";
export { startAgent } from "./start-agent.ts";
export { createTurnDirectories, type TurnDirectories } from "./turn-directories.ts";
