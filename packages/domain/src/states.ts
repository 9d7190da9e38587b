// The state machines of the platform. Tests compare them with the database's CHECKs and docs/states.md.

import { defineMachine } from "./machine.ts";

/**
 * The states of a turn that clients see. `running` back to `queued` is a retry or a released claim. `merge` also ends a
 * message that a turn has taken.
 */
export const messageMachine = defineMachine({
  states: ["queued", "running", "waiting_for_input", "completed", "failed", "cancelled"],
  initial: "queued",
  edges: {
    claim: { from: ["queued"], to: "running" },
    complete: { from: ["running"], to: "completed" },
    merge: { from: ["queued"], to: "completed" },
    retry: { from: ["running"], to: "queued" },
    release: { from: ["running"], to: "queued" },
    suspend: { from: ["running"], to: "waiting_for_input" },
    resume: { from: ["waiting_for_input"], to: "queued" },
    fail: { from: ["running", "queued"], to: "failed" },
    expire: { from: ["waiting_for_input"], to: "failed" },
    decline: { from: ["waiting_for_input"], to: "failed" },
    cancel: { from: ["running", "queued", "waiting_for_input"], to: "cancelled" },
  },
});

/** A session's state in the schedule: each session has one row, so it has one turn at a time. */
export const scheduleMachine = defineMachine({
  states: ["idle", "ready", "dispatched", "leased", "retry_wait", "blocked"],
  initial: "idle",
  edges: {
    accept: { from: ["idle"], to: "ready" },
    acceptDispatched: { from: ["idle"], to: "dispatched" },
    block: { from: ["idle", "ready", "dispatched"], to: "blocked" },
    suspend: { from: ["leased"], to: "blocked" },
    unblock: { from: ["blocked"], to: "ready" },
    unblockDispatched: { from: ["blocked"], to: "dispatched" },
    dispatch: { from: ["ready"], to: "dispatched" },
    undispatch: { from: ["dispatched", "retry_wait"], to: "ready" },
    claim: { from: ["dispatched", "retry_wait"], to: "leased" },
    backOff: { from: ["leased"], to: "retry_wait" },
    finish: { from: ["leased"], to: "ready" },
    drain: { from: ["leased", "ready", "dispatched", "retry_wait", "blocked"], to: "idle" },
  },
});

/** An input that an agent asks for during a message. */
export const inputMachine = defineMachine({
  states: ["waiting", "answered", "expired", "cancelled"],
  initial: "waiting",
  edges: {
    answer: { from: ["waiting"], to: "answered" },
    expire: { from: ["waiting"], to: "expired" },
    cancel: { from: ["waiting"], to: "cancelled" },
  },
});

export const sessionMachine = defineMachine({
  states: ["open", "completed", "expired", "failed"],
  initial: "open",
  edges: {
    complete: { from: ["open"], to: "completed" },
    expire: { from: ["open"], to: "expired" },
    fail: { from: ["open"], to: "failed" },
  },
});

export const versionMachine = defineMachine({
  states: ["building", "ready", "failed"],
  initial: "building",
  edges: {
    finish: { from: ["building"], to: "ready" },
    fail: { from: ["building"], to: "failed" },
  },
});

export const sourceSnapshotMachine = defineMachine({
  states: ["pending_upload", "ready", "failed"],
  initial: "pending_upload",
  edges: {
    verify: { from: ["pending_upload"], to: "ready" },
    reject: { from: ["pending_upload"], to: "failed" },
  },
});

/** One event on its way to one webhook endpoint. Pending while it waits for an attempt and during one. */
export const webhookDeliveryMachine = defineMachine({
  states: ["pending", "delivered", "failed", "cancelled"],
  initial: "pending",
  edges: {
    retry: { from: ["pending"], to: "pending" },
    deliver: { from: ["pending"], to: "delivered" },
    fail: { from: ["pending"], to: "failed" },
    cancel: { from: ["pending"], to: "cancelled" },
    resend: { from: ["pending", "delivered", "failed", "cancelled"], to: "pending" },
  },
});

export type MessageState = (typeof messageMachine.states)[number];
export type ScheduleState = (typeof scheduleMachine.states)[number];
export type InputState = (typeof inputMachine.states)[number];
export type SessionState = (typeof sessionMachine.states)[number];
export type VersionState = (typeof versionMachine.states)[number];
export type SourceSnapshotState = (typeof sourceSnapshotMachine.states)[number];
export type WebhookDeliveryState = (typeof webhookDeliveryMachine.states)[number];

/** What a firing of a schedule does if the previous message is still open. */
export const overlapPolicies = ["skip", "allow", "replace"] as const;
export type OverlapPolicy = (typeof overlapPolicies)[number];

/** The outcome of a schedule's due time. */
export const firingOutcomes = ["fired", "skipped", "missed", "failed"] as const;
export type FiringOutcome = (typeof firingOutcomes)[number];

/** Why a schedule is paused: by a caller (`manual`), or by the platform because no firing could ever send again. */
export const schedulePauseReasons = ["manual", "agent_deleted", "session_ended", "unknown_times"] as const;
export type SchedulePauseReason = (typeof schedulePauseReasons)[number];

/** What a message does if its session is busy. */
export const onBusyChoices = ["enqueue", "reject", "interrupt", "rollback", "merge", "steer"] as const;
export type OnBusy = (typeof onBusyChoices)[number];

/** Which of an organization's messages get a free slot first: `interactive` before `background`. */
export const lanes = ["interactive", "background"] as const;
export type Lane = (typeof lanes)[number];

/**
 * How an attempt ended. `released`: given back by its worker, or stopped at a limit that a person may raise.
 * `suspended`, `released`, and `lost` before the entrypoint's call are not counted.
 */
export const attemptOutcomes = ["completed", "failed", "retry", "released", "lost", "cancelled", "suspended"] as const;
export type AttemptOutcome = (typeof attemptOutcomes)[number];
/** The outcomes of attempts whose turn was run again from its start. */
export const repeatedOutcomes: readonly unknown[] = ["retry", "released", "lost"] satisfies AttemptOutcome[];
