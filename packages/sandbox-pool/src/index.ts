// Sandboxes of agents: preloaded for future turns, forked, kept between turns, and evicted.

export { agentRecipe } from "./agent-recipe.ts";
export { type AgentContext, type AgentSettings, type AgentTurn } from "./agent-turn.ts";
export { noGuestScript, openGuestScript, type GuestScript } from "./guest-script.ts";
export { showImportOutput } from "./import-output.ts";
export { type PendingKeep } from "./kept-sandboxes.ts";
export { createMemoryReader } from "./memory.ts";
export { planMemory, type FreeMemory, type MemoryPlan } from "./memory-plan.ts";
export { createSandboxPool, type SandboxPool, type SandboxPoolOptions } from "./pool.ts";
export { type ServingSandbox } from "./pooled-sandbox.ts";
export { type SandboxRecipe, type SessionTurn, type StartedSandbox, type Template } from "./recipe.ts";
export { sandboxTransitions, type SandboxState } from "./sandbox-state.ts";
export { startAgent } from "./start-agent.ts";
export { createTurnDirectories, type TurnDirectories } from "./turn-directories.ts";
