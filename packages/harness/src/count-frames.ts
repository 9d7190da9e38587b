// Counts what a guest sends in one turn, and refuses what our guests would not send.

import { limits, stepLimits } from "@dari/domain";
import {
  ProtocolError,
  type ActivityFrame,
  type EventFrame,
  type OmittedFrame,
  type PreviewFrame,
  type RecordedStep,
  type StepFrame,
  type Usage,
  type ValueFrame,
} from "./protocol.ts";

/** A guest reports at most once per power of two, and at its end, how much it has omitted. */
const activityFramesMax = limits.activityEventsPerAttempt + 64;
/** JSON writes some characters as six, in values and in plans. The caller has the exact limits. */
const activityCharsMax = 12 * limits.activityValueBytes;

/** `recorded`: the steps that earlier attempts have recorded. */
export const countsFor = (recorded: readonly RecordedStep[] = []): Counts => ({
  events: 0,
  activity: 0,
  previewBytes: 0,
  values: 0,
  valueBytes: 0,
  deltaBytes: 0,
  isHinted: false,
  taken: 0,
  said: new Set(),
  steps: new Set(recorded.map(keyOf)),
  stepBytes: recorded.reduce((sum, { json }) => sum + Buffer.byteLength(json), 0),
  reported: undefined,
});

const keyOf = ({ name, ordinal }: RecordedStep): string => `${name}#${ordinal}`;

export interface Counts {
  events: number;
  activity: number;
  previewBytes: number;
  values: number;
  valueBytes: number;
  deltaBytes: number;
  /** Whether the guest was told that messages wait, and has not asked for them yet. */
  isHinted: boolean;
  /** How many messages the guest has taken. */
  taken: number;
  /** The frames that a guest sends once. */
  readonly said: Set<string>;
  /** The message's recorded steps. */
  readonly steps: Set<string>;
  stepBytes: number;
  /** The usage that the agent's code has reported, for a process that ends without an answer. */
  reported: Usage | undefined;
}

/** Repeated frames would only keep the worker busy. */
export function once({ said }: Counts, frame: string): void {
  if (said.has(frame)) throw new ProtocolError(`the guest said twice that it is ${frame}`);
  said.add(frame);
}

type Report = EventFrame | ActivityFrame | OmittedFrame | ValueFrame | StepFrame;

export function countReport(counts: Counts, frame: Report): void {
  if (frame.t === "event") countEvent(counts, frame);
  else if (frame.t === "step") countStep(counts, frame);
  else if (frame.t === "value") countValue(counts, frame);
  else countActivity(counts, frame);
}

function countEvent(counts: Counts, { data }: EventFrame): void {
  counts.events += 1;
  if (counts.events <= limits.agentEventsPerAttempt && bytesOf(data) <= 2 * limits.agentEventBytes) return;
  throw new ProtocolError("the agent went over the limits of emit");
}

/** Previews over the limit are dropped. A flood of them only keeps the worker busy, so it fails the turn. */
export function isShown(counts: Counts, { data }: PreviewFrame): boolean {
  const max = limits.activityPreviewBytes;
  counts.previewBytes += bytesOf(data);
  if (counts.previewBytes > 2 * max) {
    throw new ProtocolError(`the agent sent ${counts.previewBytes} bytes of previews; the limit is ${max} bytes`);
  }
  return counts.previewBytes <= max;
}

function countActivity(counts: Counts, frame: ActivityFrame | OmittedFrame): void {
  counts.activity += 1;
  const isTooLarge = frame.t === "activity" && frame.chars > activityCharsMax;
  if (!isTooLarge && counts.activity <= activityFramesMax) return;
  throw new ProtocolError("the agent reported more than a guest reports");
}

function countValue(counts: Counts, { bytes }: ValueFrame): void {
  counts.values += 1;
  counts.valueBytes += bytes.length;
  if (counts.values <= limits.valuesPerAttempt && counts.valueBytes <= limits.valueBytesPerAttempt) return;
  throw new ProtocolError("the agent reported more than a guest reports");
}

/** The guest checks the limits too, so that only the agent's call fails and not its turn. */
function countStep(counts: Counts, step: RecordedStep): void {
  const key = keyOf(step);
  if (counts.steps.has(key)) throw new ProtocolError(`the guest recorded the step ${key} twice`);
  counts.steps.add(key);
  counts.stepBytes += Buffer.byteLength(step.json);
  if (counts.steps.size <= stepLimits.perMessage && counts.stepBytes <= stepLimits.bytesPerMessage) return;
  throw new ProtocolError("the agent went over the limits of step");
}

/** Code that is only loaded cannot send anything: no attempt is counted yet to which it could belong. */
export function onceStarted({ said }: Counts): void {
  if (!said.has("started")) throw new ProtocolError("the agent's code spoke before it was called");
}

/** The guest counts as its language writes JSON. The host only refuses what our guests would not send. */
function bytesOf(data: unknown): number {
  return Buffer.byteLength(JSON.stringify(data));
}
