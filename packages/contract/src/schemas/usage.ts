// What an organization's turns have used lately, what it keeps, and what holds its sessions back now.

import { limits } from "@dari/domain";
import Type, { type Static } from "typebox";
import { idOutput, integerText, nullable, oneOf, timestamp } from "./common.ts";

export const usageQuery = Type.Object({
  days: Type.Optional(
    integerText(1, limits.usageDaysMax, `With today, in UTC; ${limits.usageDaysDefault} when absent.`),
  ),
});

const date = Type.String({ pattern: "^\\d{4}-\\d{2}-\\d{2}$", examples: ["2026-11-25"] });

const used = {
  messages: Type.Integer({ description: "Accepted then." }),
  failed: Type.Integer({ description: "Of these messages." }),
  turns: Type.Integer({ description: "Attempts of these messages whose entrypoint was called." }),
  turn_seconds: Type.Number({ description: "That these attempts have held a slot, together." }),
  tokens: Type.Integer({ description: "Of these messages' answers, as agents' SDKs report them." }),
};

function kept(description: string) {
  return Type.Object({ kept: Type.Integer(), max: nullable(Type.Integer()) }, { description });
}

const countedTo = `Counted no further than ${limits.usageKeptMax}.`;

export const UsageRecord = Type.Object(
  {
    since: Type.String({
      format: "date-time",
      description:
        "Everything accepted from here on is counted: the start of the first day, or later where there are more than " +
        `${limits.usageMessagesMax} messages. Deleted sessions are not.`,
    }),
    is_cut: Type.Boolean({ description: "There were more messages: the first day shown is not whole." }),
    days: Type.Array(Type.Object({ date, ...used }), {
      description: "Of UTC, oldest first; days on which nothing was accepted are left out.",
    }),
    agents: Type.Array(Type.Object({ agent_id: idOutput("agent"), name: Type.String(), ...used }), {
      description: `The ${limits.usageAgentsMax} whose turns took longest, in all of these days.`,
    }),
    now: Type.Object({
      open_messages: Type.Integer({ description: "That wait or run." }),
      turns: Type.Integer({ description: "That hold a slot or are on their way to one." }),
    }),
    kept: Type.Object({
      storage_bytes: kept("Of uploaded files, bundles and workspaces together."),
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
      { description: `Whose messages wait for a budget or for operators, at most ${limits.usageHeldMax}.` },
    ),
  },
  { title: "Usage" },
);
export type UsageRecord = Static<typeof UsageRecord>;

export const SessionCost = Type.Object(
  {
    scope_kind: oneOf(["session"]),
    scope_id: idOutput("session"),
    event_count: Type.Integer({ description: "Turns that are counted: the same as `turns`." }),
    total_cost_usd: nullable(
      Type.String({ description: "Null: the platform does not know what models cost. Multiply `usage` yourself." }),
    ),
    ...used,
    usage: Type.Record(Type.String(), Type.Number(), {
      description: `Sums of the turns' \`usage\`, by name; at most ${limits.usageNamesMax} names.`,
      examples: [{ requests: 2, input_tokens: 1200, output_tokens: 80, total_tokens: 1280 }],
    }),
    is_cut: Type.Boolean({
      description: `The session has more than ${limits.usageMessagesMax} messages: only the newest are counted.`,
    }),
  },
  { title: "SessionCost" },
);
export type SessionCost = Static<typeof SessionCost>;
