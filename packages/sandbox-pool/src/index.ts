// Sandboxes of agents: started ahead, forked, kept between turns, and evicted.

export { openGuestScript, noGuestScript, type GuestScript } from "./guest-script.ts";
export { collectWords, showWords, type ImportWords } from "./import-output.ts";
export { type Rested, type SessionTurn } from "./kept-sandboxes.ts";
export { createMemoryReader, readMemory, type Memory } from "./memory.ts";
export { planMemory, type MemoryPlan, type Room } from "./memory-plan.ts";
export { createWarmPool, type WarmPool, type WarmPoolOptions, type WarmRecipe } from "./pool.ts";
export { type Prepared, type Taken } from "./pooled-sandbox.ts";
export { type WarmTemplate } from "./templates.ts";
export { createSlotDirectories, type SlotDirectories } from "./turn-directories.ts";
