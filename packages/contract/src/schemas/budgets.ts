// Limits on what turns use per period, and the stop of all turns.

import { limits } from "@dari/domain";
import Type, { type Static } from "typebox";
import { agentInput, idInput, idOutput, nullable, oneOf, noOtherFields, timestamp } from "./common.ts";
import { budgetPeriods } from "../vocabulary.ts";

export const budgetScopes = ["organization", "agent", "session"] as const;

function cap(description: string) {
  return Type.Optional(
    Type.Unsafe<number | null>({ type: ["integer", "null"], minimum: 0, maximum: limits.budgetMax, description }),
  );
}

export const PutBudgetRequest = Type.Object(
  {
    agent_id: Type.Optional(agentInput),
    session_id: Type.Optional(idInput("session")),
    period: oneOf(budgetPeriods),
    max_turns: cap("Attempts whose entrypoint is called. Null or absent: no limit."),
    max_turn_seconds: cap("Seconds that attempts hold a slot, added up. Null or absent: no limit."),
    max_tokens: cap("Tokens that agents' SDKs report. Null or absent: no limit."),
  },
  { ...noOtherFields, title: "PutBudgetRequest" },
);
export type PutBudgetRequest = Static<typeof PutBudgetRequest>;

export const BudgetRecord = Type.Object(
  {
    id: idOutput("budget"),
    scope: oneOf(budgetScopes),
    target_id: Type.String({ description: "Id of the organization, the agent or the session that the budget is for." }),
    period: oneOf(budgetPeriods),
    set_by: oneOf(["organization", "operator"]),
    max_turns: nullable(Type.Integer()),
    max_turn_seconds: nullable(Type.Integer()),
    max_tokens: nullable(Type.Integer()),
    turns: Type.Integer({ description: "Turns used in this period." }),
    turn_seconds: Type.Number({ description: "Turn seconds used in this period." }),
    tokens: Type.Integer({ description: "Tokens used in this period." }),
    is_exhausted: Type.Boolean({ description: "True: a limit is used up. No turn starts; messages wait." }),
    created_at: timestamp,
  },
  { title: "Budget" },
);
export type BudgetRecord = Static<typeof BudgetRecord>;

export const StopPlatformRequest = Type.Object(
  { reason: Type.String({ minLength: 1, maxLength: 500 }) },
  { ...noOtherFields, title: "StopPlatformRequest" },
);
export type StopPlatformRequest = Static<typeof StopPlatformRequest>;

export const PlatformStop = Type.Object(
  {
    stopped: Type.Boolean({ description: "True: no turn starts. Running turns finish." }),
    reason: nullable(Type.String()),
    stopped_at: nullable(timestamp),
  },
  { title: "PlatformStop" },
);
export type PlatformStop = Static<typeof PlatformStop>;
