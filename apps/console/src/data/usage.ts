// Prepares usage for a chart: every day of a span, also days without usage. Draws nothing.

import type { UsageRecord } from "@dari/contract";
import { datesOf } from "./chart.ts";
import { countText, durationText } from "./format.ts";

export type Measure = Exclude<keyof UsageRecord["days"][number], "date">;
export type Day = UsageRecord["days"][number];

export const measures: Readonly<Record<Measure, { readonly label: string; readonly say: (amount: number) => string }>> =
  {
    turns: { label: "Turns", say: countText },
    turn_seconds: { label: "Turn time", say: (seconds) => durationText(seconds * 1_000) },
    tokens: { label: "Tokens", say: countText },
    messages: { label: "Messages", say: countText },
    failed: { label: "Failed", say: countText },
  };

const nothing = { messages: 0, failed: 0, turns: 0, turn_seconds: 0, tokens: 0 };

/** Returns the days of the span up to today in UTC, oldest first. */
export function fillMissingDays({ days }: Pick<UsageRecord, "days">, span: number, now = Date.now()): Day[] {
  const known = new Map(days.map((day) => [day.date, day]));
  return datesOf(span, now).map((date) => known.get(date) ?? { date, ...nothing });
}

export function sumMeasure({ days }: Pick<UsageRecord, "days">, measure: Measure): number {
  return days.reduce((sum, day) => sum + day[measure], 0);
}
