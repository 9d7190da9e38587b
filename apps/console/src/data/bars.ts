// Computes when each model request and tool call of a message began and ended. Draws nothing.

import { listActivity, type Call, type Item, type ModelRequest } from "./activity.ts";
import type { Step, Turn } from "./transcript.ts";

export interface Bar {
  readonly item: Call | ModelRequest;
  /** How many subagents it is inside of. */
  readonly depth: number;
  readonly attemptId: string | undefined;
  /** Milliseconds since 1970. */
  readonly startAt: number;
  readonly endAt: number;
}

/** Returns the bars in the order of the conversation. Work that runs ends now. */
export function listBars(turn: Pick<Turn, "steps" | "attempts" | "status">, now = Date.now()): readonly Bar[] {
  const spans = findSpans(turn.steps);
  const attemptOf = new Map(turn.steps.map((step) => [step.id, step.attempt_id]));
  const endOf = new Map(
    turn.attempts.map(({ id, endedAt }) => [id, endedAt === undefined ? now : Date.parse(endedAt)]),
  );
  const bars: Bar[] = [];
  const add = (items: readonly Item[], depth: number, notBefore: number): void => {
    for (const item of items) {
      let parentAt = notBefore;
      if (item.kind === "call" || item.kind === "request") {
        const attemptId = attemptOf.get(item.id);
        const span = spans.get(item.id);
        const startAt = Math.max(span?.startAt ?? now, notBefore);
        const endAt = Math.max(startAt, span?.endAt ?? endOf.get(attemptId ?? "") ?? startAt);
        bars.push({ item, depth, attemptId, startAt, endAt });
        parentAt = startAt;
      }
      if ("items" in item) add(item.items, item.kind === "call" ? depth + 1 : depth, parentAt);
    }
  };
  add(listActivity(turn), 0, -Infinity);
  return bars;
}

/** A part of a message's time, in milliseconds after its acceptance. */
export interface Part {
  readonly startMs: number;
  readonly ms: number;
}

/**
 * Returns where each bar is drawn. Bars `inside` a phase are moved together until they fit: the phase is measured with
 * another clock, and events are stored a moment after they happened.
 */
export function placeBars(bars: readonly Bar[], acceptedAt: number, inside?: Part): readonly Part[] {
  const parts = bars.map(({ startAt, endAt }) => ({ startMs: startAt - acceptedAt, ms: endAt - startAt }));
  if (inside === undefined) return parts;
  const insideEndMs = inside.startMs + inside.ms;
  const endMs = parts.reduce((latest, part) => Math.max(latest, part.startMs + part.ms), 0);
  const startMs = parts.reduce((earliest, part) => Math.min(earliest, part.startMs), Infinity);
  const left = Math.min(0, insideEndMs - endMs);
  const shift = startMs + left < inside.startMs ? inside.startMs - startMs : left;
  return parts.map((part) => ({ ms: part.ms, startMs: part.startMs + shift }));
}

interface Span {
  readonly startAt: number;
  readonly endAt?: number;
}

/**
 * Returns the time of each request and call by the id of its first event. Several events are stored at once, with the
 * same time, after they happened. So each gets the latest time that fits its own, the events after it, and the measured
 * durations.
 */
function findSpans(steps: readonly Step[]): ReadonlyMap<string, Span> {
  const spans = new Map<string, Span>();
  const ends = new Map<string, { readonly endAt: number; readonly startAt: number | undefined }>();
  let next = Infinity;
  for (const step of steps.toReversed()) {
    let at = Math.min(Date.parse(step.created_at), next);
    const key = keyOf(step);
    if (step.type === "tool.call_completed" || step.type === "model.request_completed") {
      const { duration_ms: durationMs } = step.data;
      const startAt = durationMs === undefined ? undefined : at - durationMs;
      ends.set(key, { endAt: at, startAt });
      spans.set(step.id, { startAt: startAt ?? at, endAt: at });
    } else if (step.type === "tool.call_requested" || step.type === "model.request_started") {
      const end = ends.get(key);
      // An SDK can count a subagent's first request from before the subagent began.
      const isExact = step.type === "tool.call_requested" || step.data.parent_call_id === undefined;
      if (isExact) at = Math.min(at, end?.startAt ?? Infinity);
      spans.set(step.id, end === undefined ? { startAt: at } : { startAt: end.startAt ?? at, endAt: end.endAt });
      ends.delete(key);
    }
    next = at;
  }
  return spans;
}

/** The two events of a request or call have the same key. A call that waited for a person ends in another attempt. */
function keyOf(step: Step): string {
  if ("call_id" in step.data) return `call ${step.data.call_id}`;
  return "ordinal" in step.data ? `request ${step.attempt_id} ${step.data.ordinal}` : "";
}
