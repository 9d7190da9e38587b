// Schedules: messages that the platform sends at set times, and the outcome of each due time.

import {
  firingOutcomes,
  lanes,
  limits,
  messageMachine,
  overlapPolicies,
  schedulePauseReasons,
  type OverlapPolicy,
} from "@dari/domain";
import Type, { type Static } from "typebox";
import { agentInput, idInput, idOutput, metadata, name, nullable, oneOf, noOtherFields, timestamp } from "./common.ts";
import { laneInput, MessagePart, messageParts } from "./messages.ts";
import { scheduleStatuses } from "../vocabulary.ts";

/** Why no message was sent at a due time. */
export const firingReasons = [
  "overlap",
  "session_busy",
  "paused",
  "budget",
  "late",
  "rate_limited",
  "backlog_full",
  "quota_exceeded",
  "file_deleted",
  "agent_deleted",
  "session_ended",
  "not_possible",
] as const;
export type FiringReason = (typeof firingReasons)[number];

const cron = Type.String({
  minLength: 1,
  maxLength: limits.scheduleCronChars,
  examples: ["30 9 * * MON-FRI"],
  description:
    "Five fields: minute, hour, day of the month, month, day of the week. Allows `*`, lists, ranges and steps.",
});
const timeZone = Type.String({
  minLength: 1,
  maxLength: 64,
  examples: ["Europe/Berlin"],
  description: "IANA time zone (default UTC).",
});
const overlap = Type.Unsafe<OverlapPolicy>({
  ...oneOf(overlapPolicies),
  description:
    "If the schedule's previous message is still open at a due time: `skip` sends nothing, `allow` sends anyway, " +
    "`replace` cancels the previous message first. Default: `skip`.",
});

/** At most two pairs fewer than a message allows: the platform adds the schedule and the due time. */
const scheduleMetadata = Type.Unsafe<Static<typeof metadata>>({ ...metadata, maxProperties: limits.metadataPairs - 2 });

export const CreateScheduleRequest = Type.Object(
  {
    name: Type.Optional(name),
    agent_id: Type.Optional(
      Type.String({ ...agentInput, description: "Id or name of the agent that gets a new session at each due time." }),
    ),
    session_id: Type.Optional(
      Type.String({
        ...idInput("session"),
        description: "Session that gets every message, instead of `agent_id`.",
      }),
    ),
    cron,
    time_zone: Type.Optional(timeZone),
    parts: messageParts,
    metadata: Type.Optional(scheduleMetadata),
    overlap: Type.Optional(overlap),
    lane: Type.Optional(laneInput("background")),
    status: Type.Optional(oneOf(scheduleStatuses)),
  },
  { ...noOtherFields, title: "CreateScheduleRequest" },
);
export type CreateScheduleRequest = Static<typeof CreateScheduleRequest>;

export const UpdateScheduleRequest = Type.Object(
  {
    name: Type.Optional(name),
    cron: Type.Optional(cron),
    time_zone: Type.Optional(timeZone),
    parts: Type.Optional(messageParts),
    metadata: Type.Optional(scheduleMetadata),
    overlap: Type.Optional(overlap),
    lane: Type.Optional(laneInput("unchanged")),
    status: Type.Optional(oneOf(scheduleStatuses)),
  },
  { ...noOtherFields, minProperties: 1, title: "UpdateScheduleRequest" },
);
export type UpdateScheduleRequest = Static<typeof UpdateScheduleRequest>;

export const ScheduleRecord = Type.Object(
  {
    id: idOutput("schedule"),
    name: nullable(Type.String()),
    agent_id: idOutput("agent"),
    session_id: nullable(
      Type.String({ ...idOutput("session"), description: "Null: each due time starts a new session." }),
    ),
    cron: Type.String(),
    time_zone: Type.String(),
    parts: Type.Array(MessagePart),
    metadata,
    overlap,
    lane: oneOf(lanes),
    status: oneOf(scheduleStatuses),
    paused_reason: nullable(oneOf(schedulePauseReasons)),
    next_due_at: nullable(timestamp),
    last_fired_at: nullable(timestamp),
    changed_by_key_id: nullable(
      Type.String({ ...idOutput("apiKey"), description: "Key that created or last changed the schedule. Null: none." }),
    ),
    created_at: timestamp,
    updated_at: timestamp,
  },
  { title: "Schedule" },
);
export type ScheduleRecord = Static<typeof ScheduleRecord>;

export const FiringRecord = Type.Object(
  {
    id: idOutput("scheduleFiring"),
    schedule_id: idOutput("schedule"),
    due_at: Type.String({ ...timestamp, description: "Due time. Of several missed in a row, the first one." }),
    created_at: Type.String({ ...timestamp, description: "When the outcome was recorded." }),
    outcome: oneOf(firingOutcomes),
    session_id: nullable(idOutput("session")),
    message_id: nullable(idOutput("message")),
    message_status: nullable(oneOf(messageMachine.states)),
    reason: nullable(
      Type.Object(
        { code: oneOf(firingReasons), message: Type.String() },
        { description: "Why no message was sent. Null: one was sent." },
      ),
    ),
    missed_count: nullable(
      Type.Integer({
        description: `Number of missed due times in a row, counted up to ${limits.scheduleMissedMax}. Null: none.`,
      }),
    ),
  },
  { title: "ScheduleFiring" },
);
export type FiringRecord = Static<typeof FiringRecord>;
