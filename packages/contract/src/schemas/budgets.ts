// Caps on what turns may use, and the stop of all turns.

import { limits } from "@dari/domain";
import Type, { type Static } from "typebox";
import { idInput, idOutput, nullable, oneOf, strict, timestamp } from "./common.ts";

export const budgetPeriods = ["day", "month", "total"] as const;
export const budgetScopes = ["organization", "agent", "session"] as const;

function cap(description: string) {
  return Type.Optional(
    Type.Unsafe<number | null>({ type: ["integer", "null"], minimum: 0, maximum: limits.budgetMax, description }),
  );
}

export const PutBudgetRequest = Type.Object(
  {
    agent_id: Type.Optional(idInput("agent", ["dep"])),
    session_id: Type.Optional(idInput("session")),
    period: oneOf(budgetPeriods),
    max_turns: cap("Attempts whose entrypoint is called; null or absent: no cap."),
    max_turn_seconds: cap("Seconds that attempts hold a slot, together; null or absent: no cap."),
    max_tokens: cap("As agents' SDKs report them; null or absent: no cap."),
  },
  { ...strict, title: "PutBudgetRequest" },
);
export type PutBudgetRequest = Static<typeof PutBudgetRequest>;

export const BudgetRecord = Type.Object(
  {
    id: idOutput("budget"),
    scope: oneOf(budgetScopes),
    target_id: Type.String({ description: "Of the organization, the agent or the session." }),
    period: oneOf(budgetPeriods),
    set_by: oneOf(["organization", "operator"]),
    max_turns: nullable(Type.Integer()),
    max_turn_seconds: nullable(Type.Integer()),
    max_tokens: nullable(Type.Integer()),
    turns: Type.Integer({ description: "Used in this period." }),
    turn_seconds: Type.Number({ description: "Used in this period." }),
    tokens: Type.Integer({ description: "Used in this period." }),
    is_exhausted: Type.Boolean({ description: "No further turn begins; messages wait." }),
    created_at: timestamp,
  },
  { title: "Budget" },
);
export type BudgetRecord = Static<typeof BudgetRecord>;

export const StopPlatformRequest = Type.Object(
  { reason: Type.String({ minLength: 1, maxLength: 500 }) },
  { ...strict, title: "StopPlatformRequest" },
);
export type StopPlatformRequest = Static<typeof StopPlatformRequest>;

export const PlatformStop = Type.Object(
  {
    stopped: Type.Boolean({ description: "No turn begins; those that run end." }),
    reason: nullable(Type.String()),
    stopped_at: nullable(timestamp),
  },
  { title: "PlatformStop" },
);
export type PlatformStop = Static<typeof PlatformStop>;
