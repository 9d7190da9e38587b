// Computes when a schedule is due: five cron fields in a time zone. The only file that imports the cron library.
//
// As in Unix cron: when clocks are set forward, a fixed time that does not exist runs at the end of the gap. When they
// are set back, a time that exists twice runs once, at the first. Times with `*` or a step follow the clock through
// both.

import { invalidField, limits } from "@dari/domain";
import { Cron } from "croner";

export interface CronTimes {
  readonly cron: string;
  readonly timeZone: string;
}

const names = new Set(
  ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"].concat([
    "SUN",
    "MON",
    "TUE",
    "WED",
    "THU",
    "FRI",
    "SAT",
  ]),
);

/**
 * Returns the fields separated by one space. Refuses extensions of some crons (`@daily`, `L`, `#`, seconds).
 * @throws AppError `invalid`
 */
export function normalizeCron(text: string): string {
  const fields = text.trim().split(/\s+/);
  if (fields.length !== 5) {
    throw invalidField("cron", "expected five fields: minute, hour, day of the month, month, day of the week");
  }
  const cron = fields.join(" ");
  if (!/^[0-9A-Za-z*,/ -]+$/.test(cron) || wordsOf(cron).some((word) => !names.has(word))) {
    throw invalidField("cron", "expected numbers, names like MON and JAN, and `*`, `,`, `-` and `/`");
  }
  try {
    parse({ cron, timeZone: "UTC" });
  } catch (error) {
    throw invalidField("cron", (error as Error).message.replace(/^CronPattern: /, ""));
  }
  return cron;
}

function wordsOf(cron: string): string[] {
  return cron.toUpperCase().match(/[A-Z]+/g) ?? [];
}

/** @throws AppError `invalid` for a name that is not an IANA time zone known to this process. */
export function checkTimeZone(timeZone: string): void {
  try {
    // An offset is not a time zone: it has no summer time.
    if (/^[A-Za-z]/.test(timeZone)) {
      new Intl.DateTimeFormat("en", { timeZone });
      return;
    }
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
  }
  throw invalidField("time_zone", "expected an IANA time zone, for example Europe/Berlin");
}

/**
 * Returns the first due time after `after`. @throws AppError `invalid` for times that never occur, such as 30 February.
 */
export function findNextDueTime(times: CronTimes, after: Date): Date {
  return next(parse(times), after);
}

function next(parsed: Cron, after: Date): Date {
  const found = parsed.nextRun(after);
  if (found === null) throw invalidField("cron", "expected a date that exists; these times never occur");
  return found;
}

function parse({ cron, timeZone }: CronTimes): Cron {
  return new Cron(cron, { timezone: timeZone, mode: "5-part", fixedTimeRule: "no-wildcard", paused: true });
}

export interface DueFirings {
  /** The newest due time that has passed, unless it is too late for it. */
  readonly fireAt: Date | undefined;
  /** How many other due times have passed, counted up to `limits.scheduleMissedMax`. */
  readonly missed: number;
  /** The first due time that has not passed. */
  readonly nextDueAt: Date;
}

/**
 * Returns what to do at `now` for a schedule that was due at `dueAt`: at most one firing. Missed times are not caught
 * up on.
 */
export function findDueFirings(
  times: CronTimes,
  dueAt: Date,
  now: Date,
  lateMs: number = limits.scheduleLateMs,
): DueFirings {
  const parsed = parse(times);
  let newest = dueAt;
  let following = next(parsed, newest);
  let passed = 1;
  while (following <= now) {
    newest = following;
    passed += 1;
    // Too many to count: continue with the first time that is not too late.
    const from = passed === limits.scheduleMissedMax + 1 ? Math.max(newest.getTime(), now.getTime() - lateMs) : newest;
    following = next(parsed, new Date(from));
  }
  const isLate = now.getTime() - newest.getTime() > lateMs;
  const missed = Math.min(isLate ? passed : passed - 1, limits.scheduleMissedMax);
  return { fireAt: isLate ? undefined : newest, missed, nextDueAt: following };
}
