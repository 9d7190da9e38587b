// Stores the events of a running agent: those that it emits at once, and what it does in batches.

import { findActivityProblem, valueFieldOf, type ActivityType } from "@dari/contract";
import { retryThroughOutage } from "@dari/control/context";
import { recordTurnEvents, type AgentEvent, type NumberedEvent } from "@dari/control/turns";
import { limits, type Scrubber } from "@dari/domain";
import type { ActivityFrame } from "@dari/harness";
import type { RestoredAttempt } from "../attempt.ts";
import { createEventBatches, type BatchTimes } from "./batch-events.ts";
import { logActivity } from "./log-activity.ts";
import type { LogRecorder } from "./record-logs.ts";

export interface EventRecorder {
  /** Stores an event of `emit`. Resolves when it and everything before it is stored. */
  emit(name: string, data: unknown): Promise<void>;
  /** Adds what the agent does. Resolves when there is room for more. */
  add(frame: Pick<ActivityFrame, "type" | "data">): Promise<void> | void;
  /** Stores everything that was added. Resolves when it is stored. */
  flush(): Promise<void>;
  /** Notes how many events over the limit there were so far. */
  omit(count: number): void;
  /** Stores everything that waits. Rejects if the claim was superseded. */
  end(): Promise<void>;
  /** Stops the periodic writes. */
  stop(): void;
}

/** More are only counted. */
const refusedLogged = 5;

export function createEventRecorder(
  { context, turn, lease }: Pick<RestoredAttempt, "context" | "turn" | "lease">,
  logs: Pick<LogRecorder, "add">,
  times?: BatchTimes,
): EventRecorder {
  let overLimit = 0;
  let refused = 0;
  const batches = createEventBatches({ store, isFollowed: () => context.previews.isFollowed(turn.sessionId) }, times);

  async function store(events: readonly NumberedEvent[]): Promise<void> {
    const record = () => recordTurnEvents(context.db, turn, events);
    if (!(await retryThroughOutage(context, record, lease.signal))) {
      throw new Error("the claim was superseded during the call");
    }
    context.notifier.notify("session", turn.sessionId);
  }
  function refuse(problem: string): void {
    refused += 1;
    if (refused > refusedLogged) return;
    logs.add("platform", `an event was not recorded: ${turn.scrubber.text(problem)}\n`);
  }

  return {
    emit(name, data) {
      const { scrubber } = turn;
      batches.push({ type: "agent.event", data: { name: scrubber.text(name), data: scrubber.json(data) } });
      return batches.flush();
    },
    add({ type, data }) {
      const problem = findActivityProblem(type, data);
      if (problem !== undefined) return refuse(`${type}: ${problem}`);
      const event = scrubActivity(turn.scrubber, type as ActivityType, data as Record<string, unknown>);
      logActivity(context.log, turn, event);
      batches.push(event);
      return batches.flushSoon();
    },
    flush: batches.flush,
    omit(count) {
      overLimit = Math.max(overLimit, count);
    },
    end() {
      const count = overLimit + refused;
      if (count > 0) batches.push({ type: "agent.events_omitted", data: { count } });
      return batches.flush();
    },
    stop: batches.stop,
  };
}

/** Guests cut texts to these lengths. A text of exactly that length can end inside of a secret. */
const cutLengths = new Set<number>([limits.activityErrorChars, limits.nameChars, limits.planItemChars]);

/** Returns the event without secrets. */
function scrubActivity(scrubber: Scrubber, type: ActivityType, data: Readonly<Record<string, unknown>>): AgentEvent {
  const field = valueFieldOf(type);
  const isCut = field !== undefined && `${field}_bytes` in data;
  const textOf = (text: string): string => scrubber.text(text, { isCut: cutLengths.has(text.length) });
  const scrubbed = Object.entries(data).map(([name, value]) => {
    if (name === field) return [name, isCut ? scrubber.text(String(value), { isCut }) : scrubber.json(value)];
    if (name === "items") return [name, (value as PlanItem[]).map((item) => ({ ...item, text: textOf(item.text) }))];
    return [name, typeof value === "string" ? textOf(value) : scrubber.json(value)];
  });
  // `findActivityProblem` has found none.
  return { type, data: Object.fromEntries(scrubbed) } as AgentEvent;
}

interface PlanItem {
  readonly text: string;
}
