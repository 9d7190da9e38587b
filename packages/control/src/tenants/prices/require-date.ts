// Checks that a date exists.

import { invalidField } from "@dari/domain";

/** `date`: has the form YYYY-MM-DD. @throws AppError `invalid` for a day that is in no calendar, such as 2026-02-30. */
export function requireDate(date: string): void {
  const time = Date.parse(`${date}T00:00:00Z`);
  const isDate = !Number.isNaN(time) && new Date(time).toISOString().startsWith(date);
  // PostgreSQL has no year 0.
  if (!isDate || date.startsWith("0000")) throw invalidField("valid_from", `expected a date, but there is no ${date}`);
}
