// When schedules are due: at both changes of the clock, and after a time without a check.

import { describe, expect, test } from "@jest/globals";
import { checkTimeZone, findDueFirings, findNextDueTime, normalizeCron } from "./cron.ts";

/** Returns the first due times after a moment, in UTC. */
function after(cron: string, timeZone: string, from: string, count: number): string[] {
  const found: string[] = [];
  let at = new Date(from);
  for (let n = 0; n < count; n += 1) {
    at = findNextDueTime({ cron, timeZone }, at);
    found.push(at.toISOString().replace(":00.000Z", "Z"));
  }
  return found;
}

describe("in spring, where 02:00 to 03:00 of 29 March 2026 does not exist in Berlin", () => {
  test("a fixed time in the gap fires at its end, on the same day, once", () => {
    expect(after("30 2 * * *", "Europe/Berlin", "2026-03-28T12:00Z", 2)).toEqual([
      "2026-03-29T01:00Z",
      "2026-03-30T00:30Z",
    ]);
    expect(after("0,15,30 2 * * *", "Europe/Berlin", "2026-03-28T12:00Z", 2)).toEqual([
      "2026-03-29T01:00Z",
      "2026-03-30T00:00Z",
    ]);
  });

  test("a fixed time outside of it keeps its local time", () => {
    expect(after("0 9 * * *", "Europe/Berlin", "2026-03-28T00:00Z", 2)).toEqual([
      "2026-03-28T08:00Z",
      "2026-03-29T07:00Z",
    ]);
  });

  test("every quarter of an hour stays every quarter of an hour", () => {
    expect(after("*/15 * * * *", "Europe/Berlin", "2026-03-29T00:40Z", 3)).toEqual([
      "2026-03-29T00:45Z",
      "2026-03-29T01:00Z",
      "2026-03-29T01:15Z",
    ]);
  });
});

describe("in autumn, where 02:00 to 03:00 of 25 October 2026 exists twice in Berlin", () => {
  test("a fixed time fires once, at the first", () => {
    expect(after("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00Z", 2)).toEqual([
      "2026-10-25T00:30Z",
      "2026-10-26T01:30Z",
    ]);
    // A start in between does not find it a second time.
    expect(after("30 2 * * *", "Europe/Berlin", "2026-10-25T00:45Z", 1)).toEqual(["2026-10-26T01:30Z"]);
  });

  test("a time every hour or half an hour fires in both", () => {
    expect(after("*/30 * * * *", "Europe/Berlin", "2026-10-24T23:50Z", 6)).toEqual([
      "2026-10-25T00:00Z",
      "2026-10-25T00:30Z",
      "2026-10-25T01:00Z",
      "2026-10-25T01:30Z",
      "2026-10-25T02:00Z",
      "2026-10-25T02:30Z",
    ]);
  });
});

test("a change of half an hour is followed too", () => {
  expect(after("45 1 * * *", "Australia/Lord_Howe", "2026-04-03T12:00Z", 3)).toEqual([
    "2026-04-03T14:45Z",
    "2026-04-04T14:45Z",
    "2026-04-05T15:15Z",
  ]);
});

test("a day of the month and a day of the week: either is enough", () => {
  expect(after("0 0 13 * FRI", "UTC", "2026-12-05T00:00Z", 3)).toEqual([
    "2026-12-11T00:00Z",
    "2026-12-13T00:00Z",
    "2026-12-18T00:00Z",
  ]);
});

test.each([
  ["  0  9 * *   mon-fri ", "0 9 * * mon-fri"],
  ["*/5 0-6,20 1-31/2 JAN,FEB 7", "*/5 0-6,20 1-31/2 JAN,FEB 7"],
])("%j is read as %j", (given, read) => {
  expect(normalizeCron(given)).toBe(read);
});

test.each(["", "* * * *", "* * * * * *", "@hourly", "H * * * *", "0 9 L * *", "0 9 * * MON#1", "0 9 15W * *"])(
  "%j is refused",
  (cron) => {
    expect(() => normalizeCron(cron)).toThrow(expect.objectContaining({ code: "invalid" }));
  },
);

test.each([
  "60 * * * *",
  "* 24 * * *",
  "* * 0 * *",
  "* * * 13 *",
  "* * * * 8",
  "5-1 * * * *",
  "*/0 * * * *",
  "1,,2 * * * *",
])("%j is out of range", (cron) => {
  expect(() => normalizeCron(cron)).toThrow(expect.objectContaining({ code: "invalid" }));
});

test("times that never occur are refused", () => {
  expect(() => findNextDueTime({ cron: "0 0 30 2 *", timeZone: "UTC" }, new Date())).toThrow("these times never occur");
});

test.each(["Mars/Base", "", "+02:00", "GMT+25"])("%j is no time zone", (timeZone) => {
  expect(() => checkTimeZone(timeZone)).toThrow(expect.objectContaining({ code: "invalid" }));
});

describe("what to do at a given time", () => {
  const hourly = { cron: "0 * * * *", timeZone: "UTC" };
  const look = (dueAt: string, now: string, times = hourly) => {
    const { fireAt, missed, nextDueAt: next } = findDueFirings(times, new Date(dueAt), new Date(now), 300_000);
    return [fireAt?.toISOString() ?? null, missed, next.toISOString()];
  };

  test("in time: it fires", () => {
    expect(look("2026-11-25T09:00:00Z", "2026-11-25T09:00:01Z")).toEqual([
      "2026-11-25T09:00:00.000Z",
      0,
      "2026-11-25T10:00:00.000Z",
    ]);
  });

  test("a little late: the newest fires, the others are missed", () => {
    expect(look("2026-11-25T06:00:00Z", "2026-11-25T09:05:00Z")).toEqual([
      "2026-11-25T09:00:00.000Z",
      3,
      "2026-11-25T10:00:00.000Z",
    ]);
  });

  test("too late: nothing fires", () => {
    expect(look("2026-11-25T09:00:00Z", "2026-11-25T09:05:01Z")).toEqual([null, 1, "2026-11-25T10:00:00.000Z"]);
  });

  test("after months: counted to a thousand, and on from the present", () => {
    const everyMinute = { cron: "* * * * *", timeZone: "UTC" };
    expect(look("2026-01-01T00:00:00Z", "2026-11-25T09:00:30Z", everyMinute)).toEqual([
      "2026-11-25T09:00:00.000Z",
      1_000,
      "2026-11-25T09:01:00.000Z",
    ]);
  });
});
