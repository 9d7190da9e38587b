// What the organization's turns did by day, what runs now, and what waits for a person.

import { limits } from "@dari/domain";
import Type, { type Static } from "typebox";
import { idOutput, integerText, nullable, oneOf, timestamp } from "./common.ts";

export const overviewQuery = Type.Object({
  days: Type.Optional(
    integerText(1, limits.overviewDaysMax, `Days in UTC, including today (default ${limits.overviewDaysDefault}).`),
  ),
});

const seconds = (description: string) => nullable(Type.Number({ description }));

const figures = {
  messages: Type.Integer({ description: "Messages accepted on these days." }),
  failed: Type.Integer({ description: "How many of these messages failed." }),
  turns: Type.Integer({ description: "Attempts of these messages whose entrypoint was called." }),
  tokens: Type.Integer({ description: "Tokens that agents' SDKs report for these messages." }),
  cost_usd: nullable(
    Type.Number({ description: "Sum of `cost_usd` in the reported usage. Null: no turn reported a cost." }),
  ),
  p50_seconds: seconds("Median seconds from the start to the end of completed messages. Null: none completed."),
  p95_seconds: seconds("95th percentile of these seconds."),
  waited_p50_seconds: seconds("Median seconds from acceptance to the start. Null: none started."),
  waited_p95_seconds: seconds("95th percentile of these seconds."),
};

const title = nullable(
  Type.String({
    description: `The session's name, or its first text, at most ${limits.summaryTextChars} characters. Null: neither.`,
  }),
);

const inSession = {
  session_id: idOutput("session"),
  title,
  agent_id: idOutput("agent"),
  agent_name: Type.String(),
};

const count = Type.Integer({ description: `Counted up to ${limits.overviewCountMax}.` });

export const OverviewRecord = Type.Object(
  {
    since: Type.String({
      format: "date-time",
      description:
        "Messages accepted since then are counted: from the start of the first day, or later if there are more than " +
        `${limits.overviewMessagesMax} messages. Deleted sessions are not counted.`,
    }),
    is_cut: Type.Boolean({ description: "True: there are more messages, and the first day is incomplete." }),
    total: Type.Object(figures),
    days: Type.Array(
      Type.Object({
        date: Type.String({ pattern: "^\\d{4}-\\d{2}-\\d{2}$", examples: ["2026-11-25"] }),
        ...figures,
      }),
      {
        description:
          "Days in UTC, oldest first, without days on which no message was accepted. Sums that take long to compute " +
          "are up to a minute old.",
      },
    ),
    now: Type.Object({
      turns: Type.Integer({ description: "Dispatched and running turns." }),
      open_messages: Type.Integer({ description: "Messages that wait or run." }),
    }),
    running: Type.Array(
      Type.Object({
        ...inSession,
        message_id: nullable(idOutput("message")),
        state: oneOf(["dispatched", "running"]),
        attempt: nullable(Type.Integer()),
        started_at: nullable(
          Type.String({ ...timestamp, description: "When a worker started the attempt. Null: not yet." }),
        ),
      }),
      { description: `Dispatched and running turns, at most ${limits.overviewRowsMax}.` },
    ),
    inputs: Type.Object(
      {
        count,
        rows: Type.Array(
          Type.Object({
            ...inSession,
            message_id: idOutput("message"),
            key: Type.String(),
            prompt: nullable(Type.String({ description: `At most ${limits.summaryTextChars} characters.` })),
            requested_at: timestamp,
            expires_at: timestamp,
          }),
        ),
      },
      { description: `Inputs that wait for an answer, the oldest first; at most ${limits.overviewRowsMax} rows.` },
    ),
    failed: Type.Object(
      {
        count,
        rows: Type.Array(
          Type.Object({
            ...inSession,
            message_id: idOutput("message"),
            code: nullable(Type.String()),
            error: nullable(Type.String({ description: `At most ${limits.summaryTextChars} characters.` })),
            failed_at: timestamp,
          }),
        ),
      },
      {
        description:
          "Messages that failed on these days and were not retried, the newest first, in sessions that accept " +
          `messages; at most ${limits.overviewRowsMax} rows, of the newest ${limits.overviewFailuresMax} failures.`,
      },
    ),
    held: Type.Object(
      {
        count,
        rows: Type.Array(Type.Object({ ...inSession, reason: oneOf(["budget", "paused"]), since: timestamp })),
      },
      { description: `Sessions that wait for a budget or for operators; at most ${limits.overviewRowsMax} rows.` },
    ),
  },
  { title: "Overview" },
);
export type OverviewRecord = Static<typeof OverviewRecord>;
