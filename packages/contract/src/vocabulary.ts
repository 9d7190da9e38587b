// Words of the API that programs need without its schemas. The command starts faster without loading those.

export { dariRelease } from "./release.ts";

export const apiKeyScopes = ["admin", "deploy", "run", "read"] as const;
export type ApiKeyScope = (typeof apiKeyScopes)[number];

/** What a session token can do in its session. */
export const sessionTokenScopes = ["send", "read", "answer", "upload", "cancel"] as const;
export type SessionTokenScope = (typeof sessionTokenScopes)[number];

/** What an app that a person has connected can do at /mcp. */
export const appScopes = ["run", "read"] as const;
export type AppScope = (typeof appScopes)[number];

/** Where a browser goes after a person has decided about an app: a website, or a program on the person's computer. */
export const redirectKinds = ["website", "this_computer"] as const;
export type RedirectKind = (typeof redirectKinds)[number];

/** The parameters of an authorization request that are read. Others are ignored. */
export const appRequestParameters = [
  "client_id",
  "redirect_uri",
  "response_type",
  "code_challenge",
  "code_challenge_method",
  "scope",
  "resource",
  "state",
] as const;

export const budgetPeriods = ["day", "month", "total"] as const;

/** The activity that a conversation shows. Requests to models and steps are no part of it. */
export const shownActivityTypes = [
  "reasoning.completed",
  "assistant.message",
  "tool.call_requested",
  "tool.call_completed",
  "agent.handoff",
  "subagent.started",
  "subagent.completed",
  "plan.updated",
] as const;

/** What an agent does during a turn, as its SDK or its own code reports it. */
export const activityTypes = [
  "model.request_started",
  "model.request_completed",
  ...shownActivityTypes,
  "step.completed",
] as const;
export type ActivityType = (typeof activityTypes)[number];

/** Every type that the ledger stores. */
export const eventTypes = [
  "session.created",
  "session.status_changed",
  "session.rolled_back",
  "user.message",
  "message.status_changed",
  "message.steered",
  "attempt.started",
  "attempt.ended",
  "assistant.message_completed",
  ...activityTypes,
  "agent.events_omitted",
  "agent.event",
  "input.requested",
  "input.submitted",
  "workspace.committed",
  "workspace.restored_from_older",
  "message.completed",
  "message.failed",
  "message.cancelled",
] as const;
export type EventType = (typeof eventTypes)[number];

export const roles = ["owner", "admin", "member"] as const;
export type Role = (typeof roles)[number];

export const scheduleStatuses = ["active", "paused"] as const;
export type ScheduleStatus = (typeof scheduleStatuses)[number];

export const sessionStatuses = ["idle", "active", "completed", "failed", "expired"] as const;
export type SessionStatus = (typeof sessionStatuses)[number];

/** What starts sessions. `caller`: none of the others. */
export const sessionStarters = ["caller", "schedule", "batch", "trigger"] as const;
export type SessionStarter = (typeof sessionStarters)[number];

export const triggerStatuses = ["active", "paused"] as const;
export type TriggerStatus = (typeof triggerStatuses)[number];

/** How the sender of a trigger's events signs them. */
export const triggerSchemes = ["none", "standard-webhooks", "github", "slack", "stripe"] as const;
export type TriggerScheme = (typeof triggerSchemes)[number];
