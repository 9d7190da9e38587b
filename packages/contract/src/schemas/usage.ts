// What an organization's turns used recently, what it stores, and what holds its sessions back.

import { limits } from "@dari/domain";
import Type, { type Static } from "typebox";
import { idOutput, integerText, nullable, oneOf, timestamp } from "./common.ts";

export const usageQuery = Type.Object({
  days: Type.Optional(
    integerText(1, limits.usageDaysMax, `Days in UTC, including today (default ${limits.usageDaysDefault}).`),
  ),
});

const date = Type.String({ pattern: "^\\d{4}-\\d{2}-\\d{2}$", examples: ["2026-11-25"] });

const used = {
  messages: Type.Integer({ description: "Messages accepted on these days." }),
  failed: Type.Integer({ description: "How many of these messages failed." }),
  turns: Type.Integer({ description: "Attempts of these messages whose entrypoint was called." }),
  turn_seconds: Type.Number({ description: "Seconds that these attempts held a slot, added up." }),
  tokens: Type.Integer({ description: "Tokens that agents' SDKs report for these messages." }),
  metered_requests: Type.Integer({
    description: "Requests to models that the platform metered in attempts of these messages that have ended.",
  }),
  metered_tokens: Type.Integer({
    description: "Input and output tokens of the metered requests, as the models' providers report them.",
  }),
  metered_cost_microusd: nullable(
    Type.Integer({
      description:
        "Cost of the metered requests in millionths of a US dollar, without `unpriced_requests`. " +
        "Null: none of them has a cost.",
    }),
  ),
  unpriced_requests: Type.Integer({
    description: "Metered requests without a cost: no price fits their model, or no tokens were reported.",
  }),
};

function kept(description: string) {
  return Type.Object({ kept: Type.Integer(), max: nullable(Type.Integer()) }, { description });
}

const countedTo = `Counted up to ${limits.usageKeptMax}.`;

export const UsageRecord = Type.Object(
  {
    since: Type.String({
      format: "date-time",
      description:
        "Messages accepted since then are counted: from the start of the first day, or later if there are more than " +
        `${limits.usageMessagesMax} messages. Deleted sessions are not counted.`,
    }),
    is_cut: Type.Boolean({ description: "True: there are more messages, and the first day is incomplete." }),
    days: Type.Array(Type.Object({ date, ...used }), {
      description: "Days in UTC, oldest first, without days on which no message was accepted.",
    }),
    agents: Type.Array(Type.Object({ agent_id: idOutput("agent"), name: Type.String(), ...used }), {
      description: `The ${limits.usageAgentsMax} agents with the most turn seconds on these days.`,
    }),
    now: Type.Object({
      open_messages: Type.Integer({ description: "Messages that wait or run." }),
      turns: Type.Integer({ description: "Dispatched and running turns." }),
    }),
    kept: Type.Object({
      storage_bytes: kept("Bytes of uploaded files, bundles, workspaces and tool calls together."),
      files: kept(countedTo),
      agents: kept(countedTo),
      sessions: kept(countedTo),
      api_keys: kept(countedTo),
    }),
    held_sessions: Type.Array(
      Type.Object({
        session_id: idOutput("session"),
        agent_id: idOutput("agent"),
        reason: oneOf(["budget", "paused"]),
        since: timestamp,
      }),
      { description: `Sessions whose messages wait for a budget or for operators; at most ${limits.usageHeldMax}.` },
    ),
  },
  { title: "Usage" },
);
export type UsageRecord = Static<typeof UsageRecord>;

const durations = {
  p50_seconds: nullable(Type.Number({ description: "Median seconds from start to end of completed messages." })),
  p95_seconds: nullable(Type.Number({ description: "95th percentile of these seconds. Null: none completed." })),
};

export const AgentUsage = Type.Object(
  {
    agent_id: idOutput("agent"),
    since: Type.String({
      format: "date-time",
      description:
        "Messages accepted since then are counted. Later than the first day if the organization has more than " +
        `${limits.usageMessagesMax} messages on these days.`,
    }),
    is_cut: Type.Boolean(),
    ...used,
    ...durations,
    days: Type.Array(Type.Object({ date, ...used, ...durations }), {
      description: "Days in UTC, oldest first, without days on which no message was accepted.",
    }),
  },
  { title: "AgentUsage" },
);
export type AgentUsage = Static<typeof AgentUsage>;

export const SessionCost = Type.Object(
  {
    scope_kind: oneOf(["session"]),
    scope_id: idOutput("session"),
    event_count: Type.Integer({ description: "Same as `turns`." }),
    total_cost_usd: nullable(
      Type.String({
        description:
          "`metered_cost_microusd` in US dollars. Null: no request was metered, some have no cost, or `is_cut`. " +
          "Missing are requests that the platform does not meter, those of a running attempt, and what an answer " +
          "that was not read to its end did not report.",
        examples: ["0.012500"],
      }),
    ),
    ...used,
    usage: Type.Record(Type.String(), Type.Number(), {
      description: `Sums of the turns' \`usage\`, by name; at most ${limits.usageNamesMax} names.`,
      examples: [{ requests: 2, input_tokens: 1200, output_tokens: 80, total_tokens: 1280 }],
    }),
    is_cut: Type.Boolean({
      description: `True: the session has more than ${limits.usageMessagesMax} messages; only the newest are counted.`,
    }),
  },
  { title: "SessionCost" },
);
export type SessionCost = Static<typeof SessionCost>;
