// Prepares usage for a chart: every day of a span, also days without usage. Draws nothing.

import type { UsageRecord } from "@dari/contract";
import { microPerDollar } from "@dari/domain";
import { datesOf } from "./chart.ts";
import { costText, countText, durationText } from "./format.ts";

export type Measure = Exclude<keyof UsageRecord["days"][number], "date" | "unpriced_requests">;
export type Day = UsageRecord["days"][number];

export const measures: Readonly<Record<Measure, { readonly label: string; readonly say: (amount: number) => string }>> =
  {
    turns: { label: "Turns", say: countText },
    turn_seconds: { label: "Turn time", say: (seconds) => durationText(seconds * 1_000) },
    tokens: { label: "Tokens", say: countText },
    metered_tokens: { label: "Metered tokens", say: countText },
    metered_requests: { label: "Model requests", say: countText },
    metered_cost_microusd: { label: "Metered cost", say: (micro) => costText(micro / microPerDollar) },
    messages: { label: "Messages", say: countText },
    failed: { label: "Failed", say: countText },
  };

const nothing = {
  messages: 0,
  failed: 0,
  turns: 0,
  turn_seconds: 0,
  tokens: 0,
  metered_requests: 0,
  metered_tokens: 0,
  metered_cost_microusd: null,
  unpriced_requests: 0,
};

/** Returns the days of the span up to today in UTC, oldest first. */
export function fillMissingDays({ days }: Pick<UsageRecord, "days">, span: number, now = Date.now()): Day[] {
  const known = new Map(days.map((day) => [day.date, day]));
  return datesOf(span, now).map((date) => known.get(date) ?? { date, ...nothing });
}

/** An unknown cost adds nothing; `unpriced_requests` counts such requests. */
export function sumMeasure({ days }: Pick<UsageRecord, "days">, measure: Measure | "unpriced_requests"): number {
  return days.reduce((sum, day) => sum + (day[measure] ?? 0), 0);
}

/** Formats a figure, or a dash if it is not known. */
export function measureText(measure: Measure, amount: number | null): string {
  return amount === null ? "–" : measures[measure].say(amount);
}
