// The results of a rehearsal's messages: figures, and a sentence for each broken promise.

import { findViolations, type Database } from "@dari/db";
import { readBooks, type Books, type Run } from "../chaos/check/books.ts";
import { longestGapMs, spread } from "../chaos/check/recovery.ts";
import { isQuietWithin } from "../chaos/check/remains.ts";
import { judge } from "../chaos/check/verdict.ts";
import type { Journal } from "../chaos/load/journal.ts";

export interface Judgement {
  readonly books: Books;
  readonly figures: Readonly<Record<string, unknown>>;
  readonly sentences: readonly string[];
}

const quietWithinMs = 120_000;

/** Waits until no message is open, and judges all that were sent. */
export async function judgeRehearsal(db: Database, run: Run, journal: Journal): Promise<Judgement> {
  const isQuiet = await isQuietWithin({ db }, quietWithinMs);
  const books = await readBooks({ db }, run, journal.sent);
  const verdict = judge(books);
  const violations = await findViolations(db);
  const { lost, doubled, disordered, stuck, wrong, failedByPlatform } = verdict;
  const attempts = [...books.attempts.values()].flat();
  const outcomes = Map.groupBy(attempts, ({ outcome }) => outcome ?? "open");
  const accepts = journal.answerMs.map(({ ms }) => ms).sort((a, b) => a - b);
  return {
    books,
    figures: {
      ...{ acknowledged: verdict.acknowledged, completed: verdict.completed },
      ...{ failed: verdict.failed, cancelled: verdict.cancelled },
      ...{ lost: lost.length, doubled: doubled.length, out_of_order: disordered.length, stuck: stuck.length },
      attempts: Object.fromEntries([...outcomes].map(([outcome, list]) => [outcome, list.length])),
      accept_ms: { ...spread(accepts), p99: Math.round(accepts[Math.floor(accepts.length * 0.99)] ?? 0) },
      longest_gap_ms: longestGapMs(books, []),
    },
    sentences: [
      ...[...lost, ...doubled, ...disordered, ...stuck, ...wrong, ...journal.faults],
      ...failedByPlatform.map((id) => `${id} failed, and the platform was the cause`),
      ...violations.map(({ invariant, rows }) => `${invariant}: ${rows.join(", ")}`),
      ...(isQuiet ? [] : ["messages were open in the end"]),
    ],
  };
}
