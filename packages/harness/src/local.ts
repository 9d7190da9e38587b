// What runs an agent in the caller's own process: for a developer's machine, where there is no worker.

export { runInProcess, type LocalFrame } from "../guest/node/local.mjs";
export { guestLimits } from "./guest-limits.ts";
export { readParts, type OutputPart } from "./read-parts.ts";
