// Divides a message's time into phases, in their order. Draws nothing.

import type { MessageRecord } from "@dari/contract";
import type { Attempt } from "./transcript.ts";

export interface Phase {
  readonly name: string;
  readonly label: string;
  readonly ms: number;
}

const labels: Readonly<Record<string, string>> = {
  queue_ms: "waited in the queue",
  image_ms: "fetched the agent's image",
  restore_ms: "restored the workspace",
  claim_ms: "got a sandbox",
  start_ms: "started the agent",
  agent_ms: "agent ran",
  kill_ms: "stopped the sandbox",
  save_ms: "saved the workspace",
};

const earlierLabel = "earlier runs, and the wait for retries";

/** Returns the phases that the platform measures, in the order of a turn. Unknown ones come last. */
export function listPhases(timings: MessageRecord["timings"]): Phase[] {
  const order = Object.keys(labels);
  const rank = (name: string): number => (order.includes(name) ? order.indexOf(name) : order.length);
  return Object.entries(timings)
    .filter(([name]) => name.endsWith("_ms"))
    .map(([name, ms]) => ({ name, label: labels[name] ?? name.replace(/_ms$/, "").replaceAll("_", " "), ms }))
    .sort((a, b) => rank(a.name) - rank(b.name));
}

export interface Timeline {
  /** The phases in order, each with its start in milliseconds. */
  readonly phases: readonly (Phase & { readonly startMs: number })[];
  /** From the message's acceptance to its end, or until now. */
  readonly totalMs: number;
}

/**
 * Returns the phases since the message's acceptance. Time outside of all phases is a phase too. While an attempt runs,
 * nothing is measured, and the phases are those before it and its own.
 */
export function buildTimeline(
  record: MessageRecord,
  attempts: readonly Pick<Attempt, "startedAt" | "endedAt">[] = [],
  now = Date.now(),
): Timeline {
  const known = listPhases(record.timings);
  const measured = known.length === 0 ? runningPhases(record, attempts, now) : withAnswers(known, record.inputs ?? []);
  const sumMs = measured.reduce((sum, { ms }) => sum + ms, 0);
  const endedAt = record.completed_at === null ? undefined : Date.parse(record.completed_at);
  const totalMs = Math.max(sumMs, endedAt === undefined ? 0 : endedAt - Date.parse(record.created_at));
  const restMs = totalMs - sumMs;
  const lastStart = attempts.at(-1)?.startedAt;
  const lastStartMs = lastStart === undefined ? totalMs : Date.parse(lastStart) - Date.parse(record.created_at);
  const phases = measured.length === 0 || restMs < 1 ? measured : withRest(measured, { restMs, lastStartMs }, record);
  let startMs = 0;
  const placed = phases.map((phase) => {
    const at = { ...phase, startMs };
    startMs += phase.ms;
    return at;
  });
  return { phases: placed, totalMs };
}

function runningPhases(
  { created_at: acceptedAt }: MessageRecord,
  attempts: readonly Pick<Attempt, "startedAt" | "endedAt">[],
  now: number,
): readonly Phase[] {
  const running = attempts.at(-1);
  if (running === undefined || running.endedAt !== undefined) return [];
  const startedAt = Date.parse(running.startedAt);
  const isFirst = attempts.length === 1;
  const before = { name: isFirst ? "queue_ms" : "earlier", label: isFirst ? labels["queue_ms"] : earlierLabel };
  return [
    { name: before.name, label: before.label ?? "", ms: Math.max(0, startedAt - Date.parse(acceptedAt)) },
    { name: "agent_ms", label: "the attempt runs", ms: Math.max(0, now - startedAt) },
  ];
}

/** Adds the time that the message waited for answers, if they were given. */
function withAnswers(measured: readonly Phase[], inputs: NonNullable<MessageRecord["inputs"]>): readonly Phase[] {
  let ms = 0;
  for (const { requested_at: from, ended_at: to } of inputs) if (to !== null) ms += Date.parse(to) - Date.parse(from);
  if (measured.length === 0 || ms <= 0) return measured;
  return afterQueue(measured, { name: "input_wait", label: "waited for an answer", ms });
}

/**
 * Adds the time outside of all phases. The platform measures only the last run, so the rest before it belongs to
 * earlier runs. What is after it is the commit.
 */
function withRest(
  measured: readonly Phase[],
  { restMs, lastStartMs }: { readonly restMs: number; readonly lastStartMs: number },
  { attempt, inputs = [] }: Pick<MessageRecord, "attempt" | "inputs">,
): readonly Phase[] {
  const isOnlyRun = attempt <= 1 && inputs.length === 0;
  const waitedMs = measured.reduce((sum, { name, ms }) => sum + (waitNames.includes(name) ? ms : 0), 0);
  const earlierMs = isOnlyRun ? 0 : Math.max(0, Math.min(restMs, lastStartMs - waitedMs));
  const commitMs = restMs - earlierMs;
  const whole =
    earlierMs < 1 ? measured : afterQueue(measured, { name: "earlier", label: earlierLabel, ms: earlierMs });
  return commitMs < 1 ? whole : [...whole, { name: "commit", label: "committed the turn", ms: commitMs }];
}

/** Phases before the last run. */
const waitNames = ["queue_ms", "input_wait"];

function afterQueue(measured: readonly Phase[], phase: Phase): readonly Phase[] {
  const isQueue = ({ name }: Phase): boolean => name === "queue_ms";
  return [...measured.filter(isQueue), phase, ...measured.filter((one) => !isQueue(one))];
}

const waits: Readonly<Record<NonNullable<MessageRecord["waiting_reason"]>, string>> = {
  build: "its version is being built",
  budget: "a budget is spent",
  paused: "operators have stopped all turns",
  input: "for an answer to what the agent asked",
  retry: "the next attempt is not due yet",
};

/** Returns why a message does not run, or undefined if it only waits for a free slot, or has ended. */
export function waitText(record: MessageRecord): string | undefined {
  if (record.waiting_reason !== null) return waits[record.waiting_reason];
  return record.status === "queued" ? "for the turn before it, or a free slot" : undefined;
}
