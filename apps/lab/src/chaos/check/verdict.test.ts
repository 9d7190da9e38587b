// Tests that the judge finds every fault: each of these books contains one, and the first contains none.

import { describe, expect, test } from "@jest/globals";
import type { Effect, Prompt } from "../load/agent.ts";
import type { Sent } from "../load/journal.ts";
import type { AttemptBook, Books, MessageBook } from "./books.ts";
import { longestGapMs, lostWhileRunning, startDelays, takeoverMs } from "./recovery.ts";
import { judge, type Verdict } from "./verdict.ts";

const organizationId = "org_1";

/** Two turns of one session that went well, the first after a lost attempt. */
function goodBooks(): {
  messages: MessageBook[];
  attempts: AttemptBook[];
  effects: Effect[];
  sent: Sent[];
} {
  return {
    messages: [
      message({
        id: "msg_1",
        sequenceNumber: 1,
        maxAttempts: 4,
        createdAt: 1_000,
        completedAt: 6_000,
        text: answer("a2", ["a2"]),
      }),
      message({
        id: "msg_2",
        sequenceNumber: 2,
        createdAt: 2_000,
        completedAt: 7_000,
        text: answer("b1", ["a2", "b1"]),
      }),
    ],
    attempts: [
      attempt({ messageId: "msg_1", fence: 1, claimedAt: 1_010, endedAt: 5_000, outcome: "lost", workerId: "wrk_1" }),
      attempt({ messageId: "msg_1", fence: 2, claimedAt: 5_500, endedAt: 6_000 }),
      attempt({ messageId: "msg_2", fence: 3, claimedAt: 6_100, endedAt: 7_000 }),
    ],
    effects: [start("msg_1", "a1", 1_100), start("msg_1", "a2", 5_600), start("msg_2", "b1", 6_200)],
    sent: [sent("k1", "msg_1", 900, 1_050), sent("k2", "msg_2", 1_900, 2_050)],
  };
}

function message(fields: Partial<MessageBook>): MessageBook {
  const common = { organizationId, sessionId: "sess_1", state: "completed", attempts: 1, maxAttempts: 3 } as const;
  return { id: "", sequenceNumber: 1, text: "", errorCode: null, createdAt: 0, completedAt: 0, ...common, ...fields };
}

function attempt(fields: Partial<AttemptBook> & { claimedAt: number }): AttemptBook {
  const common = { id: `att_${fields.fence}`, sessionId: "sess_1", workerId: "wrk_2", failureCode: null, fence: 0 };
  return { ...common, messageId: "", outcome: "completed", calledAt: fields.claimedAt + 10, endedAt: null, ...fields };
}

const answer = (call: string, ledger: string[]): string => JSON.stringify({ key: "", call, ledger });

function start(messageId: string, call: string, at: number): Effect {
  return { effect: "start", key: "", session: "sess_1", message: messageId, attempt: 1, call, at };
}

function sent(key: string, id: string, sentAt: number, acknowledgedAt: number): Sent {
  const prompt: Prompt = { do: "work", key, ms: 10 };
  const tenant = { organizationId, apiKey: "", agentId: "", endpoints: [], sessionIds: ["sess_1"] };
  const rest = { delivery: "async", cancel: undefined, answer: undefined } as const;
  return { tenant, sessionId: "sess_1", prompt, sentAt, acknowledgedAt, messageIds: new Set([id]), ...rest };
}

function booksOf(parts: ReturnType<typeof goodBooks>): Books {
  return {
    messages: new Map(parts.messages.map((one) => [one.id, one])),
    attempts: Map.groupBy(parts.attempts, ({ messageId }) => messageId),
    effects: Map.groupBy(parts.effects, (effect) => effect.message),
    sent: parts.sent,
  };
}

type Charge = "lost" | "doubled" | "disordered" | "stuck" | "wrong";

function charges(verdict: Verdict): Charge[] {
  const all: Charge[] = ["lost", "doubled", "disordered", "stuck", "wrong"];
  return all.filter((charge) => verdict[charge].length > 0);
}

describe("the judge", () => {
  test("finds nothing in intact books", () => {
    const verdict = judge(booksOf(goodBooks()));
    expect(charges(verdict)).toEqual([]);
    expect(verdict).toMatchObject({ acknowledged: 2, completed: 2, failed: 0, cancelled: 0 });
  });

  test("a worker that could not renew its lease can record the loss itself", () => {
    const books = goodBooks();
    books.messages[1] = { ...books.messages[1]!, state: "failed", errorCode: "worker_lost", maxAttempts: 4, text: "" };
    const last = { ...books.attempts[2]!, outcome: "failed", failureCode: "worker_lost" };
    const lost = [3, 4, 5].map((fence) => ({ ...last, outcome: "retry", fence }));
    books.attempts.splice(2, 1, ...lost, { ...last, fence: 6 });
    expect(charges(judge(booksOf(books)))).toEqual([]);
    books.attempts[5] = { ...last, fence: 6, failureCode: "agent_error" };
    expect(charges(judge(booksOf(books)))).toEqual(["wrong"]);
  });

  const crimes: [string, Charge, (books: ReturnType<typeof goodBooks>) => void][] = [
    ["an acknowledged message that is not there", "lost", (books) => void books.messages.pop()],
    ["one that never ended", "stuck", ({ messages }) => void (messages[1] = { ...messages[1]!, state: "queued" })],
    ["two messages of one key", "doubled", (books) => void books.sent[1]!.messageIds.add("msg_9")],
    ["a message that completed twice", "doubled", ({ attempts }) => void (attempts[0] = { ...attempts[1]!, fence: 1 })],
    ["a call that no attempt counts", "doubled", ({ effects }) => void effects.push(start("msg_2", "b2", 6_300))],
    ["a call after the end", "doubled", ({ effects }) => void (effects[2] = start("msg_2", "b1", 7_100))],
    [
      "a claim after the end",
      "doubled",
      ({ attempts }) => void attempts.push(attempt({ messageId: "msg_2", claimedAt: 8_000 })),
    ],
    ["an answer of a call that never was", "doubled", ({ effects }) => void effects.pop()],
    [
      "a turn that did not see the one before it",
      "disordered",
      ({ messages }) => {
        messages[1] = { ...messages[1]!, text: answer("b1", ["b1"]) };
      },
    ],
    [
      "a turn that saw what a lost attempt wrote",
      "disordered",
      ({ messages }) => {
        messages[0] = { ...messages[0]!, text: answer("a2", ["a1", "a2"]) };
      },
    ],
    [
      "an end before its predecessor's",
      "disordered",
      ({ messages }) => {
        messages[1] = { ...messages[1]!, completedAt: 5_900 };
      },
    ],
    [
      "a later message with a lower number",
      "disordered",
      (books) => {
        books.sent = [sent("k1", "msg_2", 900, 1_000), sent("k2", "msg_1", 1_900, 2_000)];
      },
    ],
    [
      "a failure with attempts to spare",
      "wrong",
      ({ messages }) => {
        messages[1] = { ...messages[1]!, state: "failed", errorCode: "agent_error" };
      },
    ],
    [
      "a lost worker that adds no attempt",
      "wrong",
      ({ messages }) => void (messages[0] = { ...messages[0]!, maxAttempts: 3 }),
    ],
    [
      "an attempt added without a loss",
      "wrong",
      ({ messages }) => void (messages[1] = { ...messages[1]!, maxAttempts: 4 }),
    ],
    ["a cancel of nobody", "wrong", ({ messages }) => void (messages[1] = { ...messages[1]!, state: "cancelled" })],
    [
      "a cancel that was acknowledged and did nothing",
      "wrong",
      (books) => {
        books.sent[1]!.cancel = { askedAt: 0, answered: "cancelled" };
      },
    ],
    ["a message that nobody sent", "wrong", (books) => void books.sent.pop()],
    [
      "a message of another organization",
      "wrong",
      ({ messages }) => {
        messages[1] = { ...messages[1]!, organizationId: "org_2" };
      },
    ],
  ];

  test.each(crimes)("convicts %s", (_name, charge, commit) => {
    const parts = goodBooks();
    commit(parts);
    expect(charges(judge(booksOf(parts)))).toContain(charge);
  });
});

describe("figures", () => {
  const books = booksOf(goodBooks());

  test("a takeover counts from the loss, or from the next claim", () => {
    expect(takeoverMs(books, [{ workerId: "wrk_1", at: 2_000 }])).toEqual([3_500]);
    expect(takeoverMs(books, [{ workerId: "wrk_1", at: 900 }])).toEqual([4_490]);
    expect(takeoverMs(books, [])).toEqual([]);
  });

  test("a gap is time in which a session is ready and no turn completes, less the excused time", () => {
    const parts = goodBooks();
    // The second turn was ready at 6 000 and claimed late.
    parts.attempts[2] = attempt({ messageId: "msg_2", fence: 3, claimedAt: 6_800, endedAt: 7_000 });
    expect(longestGapMs(booksOf(parts), [])).toBe(800);
    expect(longestGapMs(booksOf(parts), [{ from: 6_200, to: 6_700 }])).toBe(300);
    expect(longestGapMs(books, [])).toBe(100);
  });

  test("a start is late by the message's own wait, not by its session's", () => {
    expect(startDelays(books, [])).toEqual([{ at: 1_000, ms: 10 }]);
  });

  test("an attempt is lost while it ran only if its agent was seen to run", () => {
    expect(lostWhileRunning(books).map(({ fence }) => fence)).toEqual([1]);
    const parts = goodBooks();
    parts.effects.shift();
    expect(lostWhileRunning(booksOf(parts))).toEqual([]);
  });
});
