// The guest, which loads the entrypoint inside a sandbox and speaks a line protocol, and its host side.

export { captureLogs } from "./capture-logs.ts";
export { checkEntrypoint, type EntrypointCheckResult } from "./check-entrypoint.ts";
export { type ProcessExit } from "./explain-exit.ts";
export { findShapeProblem } from "./find-shape-problem.ts";
export { guestCommand, nodeGuestMain, type GuestCommand, type Language } from "./guest-command.ts";
export { waitForGuest, preloadAgent } from "./preload-agent.ts";
export { loadTemplate } from "./load-template.ts";
export type { OutputPart } from "./read-parts.ts";
export type {
  ActivityFrame,
  AgentPreview,
  DeltaFrame,
  Entry,
  EventFrame,
  RecordedStep,
  RunRequest,
  SteeringMessage,
  StepFrame,
  TurnContext,
  Usage,
  ValueFrame,
} from "./protocol.ts";
export {
  runTurn,
  type AskedInput,
  type ReportFrame,
  type RunTurnOptions,
  type TurnEnding,
  type TurnInbox,
} from "./run-turn.ts";
