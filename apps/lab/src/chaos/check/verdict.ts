// Compares what the system recorded with what was recorded outside of it. Every sentence is a broken promise.

import { agentMaxAttempts, type Answer, type Effect } from "../load/agent.ts";
import type { Sent } from "../load/journal.ts";
import type { AttemptBook, Books, MessageBook } from "./books.ts";

export interface Verdict {
  readonly acknowledged: number;
  readonly completed: number;
  readonly failed: number;
  readonly cancelled: number;
  /** All lists are empty if everything is right. */
  readonly lost: string[];
  readonly doubled: string[];
  readonly disordered: string[];
  readonly stuck: string[];
  /** Endings that differ from the expected one. */
  readonly wrong: string[];
  /** Failures of the platform, legitimate only if a fault takes its storage away. */
  readonly failedByPlatform: string[];
}

const terminal = new Set(["completed", "failed", "cancelled"]);

export function judge(books: Books): Verdict {
  const messages = [...books.messages.values()];
  const ended = messages.filter(({ state }) => terminal.has(state));
  const count = (state: string): number => ended.filter((one) => one.state === state).length;
  const perSent = books.sent.map((sent) => judgeSent(books, sent));
  const unexpected = findUnexpected(books);
  return {
    acknowledged: books.sent.filter((sent) => sent.messageIds.size > 0).length,
    completed: count("completed"),
    failed: count("failed"),
    cancelled: count("cancelled"),
    lost: perSent.flatMap(({ lost }) => lost),
    doubled: [...perSent.flatMap(({ doubled }) => doubled), ...messages.flatMap((one) => judgeEffects(books, one))],
    disordered: [...judgeLedgers(messages), ...judgeSequences(books)],
    stuck: messages.filter(({ state }) => !terminal.has(state)).map(({ id, state }) => `${id} is ${state} still`),
    wrong: [...perSent.flatMap(({ wrong }) => wrong), ...unexpected],
    failedByPlatform: messages.filter(({ errorCode }) => errorCode === "internal_error").map(({ id }) => id),
  };
}

interface SentVerdict {
  readonly lost: string[];
  readonly doubled: string[];
  readonly wrong: string[];
}

function judgeSent(books: Books, sent: Sent): SentVerdict {
  const { key } = sent.prompt;
  const [id, ...more] = sent.messageIds;
  if (id === undefined) return { lost: [`${key} was never acknowledged`], doubled: [], wrong: [] };
  const doubled = more.length > 0 ? [`${key} was acknowledged as ${[id, ...more].join(" and ")}`] : [];
  const message = books.messages.get(id);
  if (message === undefined) return { lost: [`${key}: ${id} was acknowledged and is not there`], doubled, wrong: [] };
  if (!terminal.has(message.state)) return { lost: [], doubled, wrong: [] };
  const attempts = books.attempts.get(id) ?? [];
  const wrong = [
    ...judgeLimit(message, attempts),
    ...judgeEnding(sent, message, attempts),
    ...judgeAnswer(sent, message),
  ];
  if (message.sessionId !== sent.sessionId || message.organizationId !== sent.tenant.organizationId) {
    wrong.push(`${key}: ${id} is in another session or organization`);
  }
  return { lost: [], doubled, wrong };
}

/** Endings that do not count as an attempt. */
const uncounted: readonly unknown[] = ["released", "suspended"];

/** Lost by the reaper, or by the worker itself if it could not renew its lease. */
const isLost = ({ outcome, failureCode }: AttemptBook): boolean => outcome === "lost" || failureCode === "worker_lost";

/** A message must have one attempt more than its manifest says once its first worker was lost after the call. */
function judgeLimit({ id, state, maxAttempts }: MessageBook, attempts: readonly AttemptBook[]): string[] {
  const losses = attempts.filter((one) => one.calledAt !== null && isLost(one)).length;
  // The loss that ends a cancelled message adds nothing.
  if (state === "cancelled" || maxAttempts === agentMaxAttempts + Math.min(1, losses)) return [];
  return [`${id} may have ${maxAttempts} attempts after ${losses} lost workers`];
}

/** Returns whether a message ended as its prompt, its cancel and its lost attempts allow. */
function judgeEnding(sent: Sent, message: MessageBook, attempts: readonly AttemptBook[]): string[] {
  const { prompt, cancel } = sent;
  const says = (why: string): string[] => [`${prompt.key}: ${message.id} ended ${message.state}: ${why}`];
  if (cancel?.answered === "cancelled" && message.state !== "cancelled") return says("its cancel was acknowledged");
  if (message.state === "cancelled") return cancel === undefined ? says("no client cancelled it") : [];
  if (message.state === "completed") {
    return prompt.do === "work" || prompt.do === "ask" || (prompt.do === "fail" && prompt.times < 99)
      ? []
      : says("it was to fail");
  }
  const used = attempts.filter((one) => one.calledAt !== null && !uncounted.includes(one.outcome)).length;
  if (message.errorCode === "internal_error") return [];
  if (used < message.maxAttempts) return says(`${message.errorCode} after ${used} of its attempts`);
  const own =
    prompt.do === "work" || prompt.do === "ask" ? 0 : prompt.do === "fail" ? Math.min(prompt.times, used) : used;
  const lost = attempts.filter(isLost).length;
  const platform = attempts.filter(({ failureCode }) => failureCode === "internal_error").length;
  if (own + lost + platform >= used) return [];
  return says(`${message.errorCode}, and of ${used} attempts ${own} were to fail, ${lost} were lost`);
}

/** A waiting call must be told what the row says. */
function judgeAnswer(sent: Sent, message: MessageBook): string[] {
  const { answer } = sent;
  if (answer === undefined) return [];
  const part = answer.output?.parts[0];
  const text = part?.type === "text" ? part.text : "";
  if (answer.id === message.id && answer.status === message.state && text === message.text) return [];
  return [`${sent.prompt.key}: a call got ${answer.status} for ${answer.id}, the row says ${message.state}`];
}

/**
 * Checks a message's calls: at least one if it completed, at most as many as were counted, none if its end forbids it.
 */
function judgeEffects(books: Books, message: MessageBook): string[] {
  const attempts = books.attempts.get(message.id) ?? [];
  const effects = books.effects.get(message.id) ?? [];
  const starts = effects.filter(({ effect }) => effect === "start");
  const called = attempts.filter(({ calledAt }) => calledAt !== null).length;
  const lost = attempts.filter(({ outcome }) => outcome === "lost").length;
  const faults: string[] = [];
  if (starts.length > called) faults.push(`${message.id} was called ${starts.length} times, ${called} are counted`);
  if (message.state === "completed") {
    const winners = attempts.filter(({ outcome }) => outcome === "completed");
    if (winners.length !== 1) faults.push(`${message.id} completed in ${winners.length} attempts`);
    if (!starts.some(({ call }) => call === readAnswer(message)?.call))
      faults.push(`${message.id} completed unstarted`);
  }
  const { completedAt } = message;
  if (completedAt === null) return faults;
  if (attempts.some(({ claimedAt }) => claimedAt > completedAt)) faults.push(`${message.id} was claimed after its end`);
  // A worker that stood still between counting and calling may call late. Nothing of that is recorded.
  const late = starts.filter(({ at }) => at > completedAt + clockSlackMs).length;
  if (late > lost) faults.push(`${message.id} was called after its end`);
  return faults;
}

/** The agent's clock and the database's are the same machine's, read at different moments. */
const clockSlackMs = 5;

/** Each completed turn must have seen exactly the completed turns before it, in order. */
function judgeLedgers(messages: readonly MessageBook[]): string[] {
  const faults: string[] = [];
  for (const [session, turns] of Map.groupBy(messages, ({ sessionId }) => sessionId)) {
    const calls: string[] = [];
    for (const message of turns.filter(({ state }) => state === "completed")) {
      const answer = readAnswer(message);
      calls.push(answer?.call ?? "none");
      if (answer?.ledger.join() === calls.join()) continue;
      faults.push(`${message.id} of ${session} saw ${answer?.ledger.length} turns, of ${calls.length}, or others`);
      calls.splice(0, calls.length, ...(answer?.ledger ?? []));
    }
    for (const [i, message] of turns.entries()) {
      const before = turns.slice(0, i).filter(({ state }) => state !== "cancelled");
      const { completedAt } = message;
      if (message.state === "cancelled" || completedAt === null) continue;
      if (before.some((one) => (one.completedAt ?? Infinity) > completedAt)) {
        faults.push(`${message.id} of ${session} ended before one that was sent before it`);
      }
    }
  }
  return faults;
}

/** A message that was sent after another was acknowledged must follow it. */
function judgeSequences(books: Books): string[] {
  const faults: string[] = [];
  for (const [session, sends] of Map.groupBy(books.sent, ({ sessionId }) => sessionId)) {
    const known = sends.flatMap((sent) => {
      const message = books.messages.get([...sent.messageIds][0] ?? "");
      return message === undefined ? [] : [{ sent, number: message.sequenceNumber }];
    });
    for (const earlier of known) {
      const { acknowledgedAt } = earlier.sent;
      if (acknowledgedAt === undefined) continue;
      const wrong = known.find(({ sent, number }) => sent.sentAt > acknowledgedAt && number < earlier.number);
      if (wrong !== undefined)
        faults.push(`${wrong.sent.prompt.key} of ${session} overtook ${earlier.sent.prompt.key}`);
    }
  }
  return faults;
}

/** Nothing may exist that was not sent, and nothing may have run for another organization. */
function findUnexpected(books: Books): string[] {
  const known = new Set(books.sent.flatMap(({ messageIds }) => [...messageIds]));
  const faults = [...books.messages.keys()].filter((id) => !known.has(id)).map((id) => `no client sent ${id}`);
  for (const [id, effects] of books.effects) {
    const message = books.messages.get(id);
    if (message === undefined) faults.push(`agents were called for ${id}, which is not there`);
    else if (effects.some(({ session }: Effect) => session !== message.sessionId)) faults.push(`${id} ran elsewhere`);
  }
  return faults;
}

function readAnswer(message: MessageBook): Answer | undefined {
  try {
    return JSON.parse(message.text) as Answer;
  } catch {
    return undefined;
  }
}
