// The host's side of one turn: request, handshake, frames, ending. The caller kills the process after the ending.

import { failure, limits, createRaceWith, type Failure } from "@dari/domain";
import type { Duplex } from "node:stream";
import { toExitFailure, type ProcessExit } from "./explain-exit.ts";
import { countReport, countsFor, isShown, once, onceStarted, type Counts } from "./count-frames.ts";
import { ignoreErrors, LineTooLongError, readLines, sendFrame } from "./read-frames.ts";
import { guestLimits } from "./guest-limits.ts";
import { readParts, type OutputPart } from "./read-parts.ts";
import {
  parseGuestFrame,
  ProtocolError,
  protocolVersion,
  type ActivityFrame,
  type AskFrame,
  type DeltaFrame,
  type EventFrame,
  type GuestFrame,
  type LastWords,
  type OmittedFrame,
  type PreviewFrame,
  type RunRequest,
  type SteeringMessage,
  type StepFrame,
  type Usage,
  type ValueFrame,
} from "./protocol.ts";

/** How long an agent may clean up after it was asked to stop, in milliseconds. */
const cancelGraceMs = 1_000;
const timeoutGraceMs = 500;
/** How long to wait for the last frames of an ended process, in milliseconds. */
const lastWordsMs = 500;
/** How long after its channel a process may end, in milliseconds. */
const exitFollowsMs = 5_000;

/** `delivered` absent: the guest took no messages, or ended without a last frame. Then all count as delivered. */
export type TurnEnding = (
  | {
      readonly kind: "completed";
      readonly parts: OutputPart[];
      /** How many processes the guest keeps for the session's next turn. */
      readonly kept?: number;
    }
  /** `lacksExit`: the guest's channel has ended, and no end of its process was reported. */
  | { readonly kind: "failed"; readonly failure: Failure; readonly stack?: string; readonly lacksExit?: boolean }
  /** The turn waits for an answer. What the agent does after asking is ignored. */
  | { readonly kind: "suspended"; readonly asked: AskedInput }
  | { readonly kind: "timeout" }
  | { readonly kind: "cancelled" }
) &
  LastWords;

export type AskedInput = Omit<AskFrame, "t" | keyof LastWords>;

/** What an agent reports while it runs. */
export type ReportFrame =
  DeltaFrame | PreviewFrame | EventFrame | ActivityFrame | ValueFrame | OmittedFrame | StepFrame;

/** Messages that clients send while the turn runs, to steer it. */
export interface TurnInbox {
  /** Calls back whenever messages may wait. Returns a function that stops that. */
  watch(onWaiting: () => void): () => void;
  /** Takes the messages that wait. The guest gets them once this resolves. If it rejects, runTurn rejects. */
  take(): Promise<readonly SteeringMessage[]>;
}

export interface RunTurnOptions {
  readonly channel: Duplex;
  readonly exited: Promise<ProcessExit>;
  readonly request: RunRequest;
  /** Limits the agent's work, from the call of the entrypoint. */
  readonly timeoutMs: number;
  /** Limits loading the agent's code, before the call. */
  readonly loadTimeoutMs?: number;
  readonly signal: AbortSignal;
  /**
   * Called once the agent is loaded. Its code is called, in its workspace, once this resolves. If it rejects, runTurn
   * rejects.
   */
  beforeCall(): Promise<void>;
  /** The next frame is read, and the agent's step continues, once this has ended. If it rejects, runTurn rejects. */
  onFrame(frame: ReportFrame): void | Promise<void>;
  /** Absent: nothing steers the turn. */
  readonly inbox?: TurnInbox | undefined;
  /** Called if the process ended without an answer. */
  stderrTail?(): string | Promise<string>;
}

/**
 * Runs one turn in a started guest. Whatever the agent does becomes an ending; only the caller's functions can make it
 * reject. After the ending nothing of the turn is reported, although the agent may run until it is killed.
 */
export async function runTurn(o: RunTurnOptions): Promise<TurnEnding> {
  if (o.signal.aborted) return { kind: "cancelled" };
  const called = Promise.withResolvers<void>();
  let isCalled = false;
  void called.promise.then(() => (isCalled = true));
  const over = new AbortController();
  ignoreErrors(o.channel);
  const counts = countsFor(o.request.context.steps);
  let unwatch: (() => void) | undefined;
  const onCalled = (): void => {
    called.resolve();
    unwatch = o.inbox?.watch(() => {
      if (counts.isHinted) return;
      counts.isHinted = true;
      sendFrame(o.channel, { t: "inbox" });
    });
  };
  const call: Call = { onCalled, counts, over: over.signal, isStopping: false };
  const answer = converse(o, call);
  const stopped = Promise.race([
    waitForAbort(o.signal, over.signal).then(() => "cancelled" as const),
    elapsed(o, called.promise, over.signal),
  ]);
  // The loser of a race may still reject.
  answer.catch(() => {});
  stopped.catch(() => {});
  try {
    sendFrame(o.channel, { t: "run", timeoutMs: o.timeoutMs, limits: guestLimits, ...o.request });
    const first = await Promise.race([answer, stopped]);
    if (typeof first !== "string") return { ...first, ...used(first.usage ?? counts.reported) };
    if (first === "load_timeout") return { kind: "failed", failure: failure("agent_error", loadTimeoutMessage(o)) };
    if (!isCalled) return { kind: first };
    call.isStopping = true;
    sendFrame(o.channel, { t: "cancel", reason: first });
    const graceMs = first === "timeout" ? timeoutGraceMs : cancelGraceMs;
    const late = await Promise.race([answer, after(graceMs, over.signal)]);
    const { usage, delivered } = late ?? {};
    return { kind: first, ...used(usage ?? counts.reported), ...(delivered === undefined ? {} : { delivered }) };
  } finally {
    unwatch?.();
    over.abort(turnEndedReason);
  }
}

/** Reads frames up to the answer, or to the end of the process. */
async function converse(o: RunTurnOptions, call: Call): Promise<TurnEnding> {
  const { over } = call;
  const frames = readGuestFrames(o.channel);
  const untilGone = createRaceWith(o.exited.then(() => after(lastWordsMs, over)));
  try {
    for (;;) {
      const next = await untilGone(frames.next());
      if (next === undefined || next.done === true || over.aborted) return await endOfProcess(o, over);
      const ending = await takeFrame(o, next.value, call);
      if (ending !== undefined) return ending;
    }
  } catch (error) {
    const found = toProtocolFailure(error);
    if (found === undefined) throw error;
    return { kind: "failed", failure: found };
  }
}

/** Returns the failure if a guest broke the protocol or its limits; undefined for other errors. */
export function toProtocolFailure(error: unknown): Failure | undefined {
  if (error instanceof ProtocolError) return failure("agent_error", error.message);
  return error instanceof LineTooLongError ? failure("output_too_large") : undefined;
}

async function takeFrame(o: RunTurnOptions, frame: GuestFrame, call: Call): Promise<TurnEnding | undefined> {
  const { onCalled, counts, over } = call;
  switch (frame.t) {
    case "ready":
      once(counts, frame.t);
      if (frame.protocol === protocolVersion) return undefined;
      throw new ProtocolError("the guest speaks another version of the protocol");
    case "loaded":
      once(counts, frame.t);
      return undefined;
    case "started":
      once(counts, frame.t);
      await o.beforeCall();
      // Do not call the agent if the turn was stopped in the meantime.
      if (o.signal.aborted || over.aborted) return undefined;
      // Announce waiting messages before the call: its first `take` must return them.
      onCalled();
      sendFrame(o.channel, { t: "go" });
      return undefined;
    case "event":
    case "activity":
    case "omitted":
    case "value":
    case "step":
      onceStarted(counts);
      countReport(counts, frame);
      await o.onFrame(frame.t === "step" ? { ...frame, ...used(counts.reported) } : frame);
      if (frame.t === "step") sendFrame(o.channel, { t: "stepped", name: frame.name, ordinal: frame.ordinal });
      return undefined;
    case "preview":
      onceStarted(counts);
      if (isShown(counts, frame)) await o.onFrame(frame);
      return undefined;
    case "delta":
      onceStarted(counts);
      counts.deltaBytes += Buffer.byteLength(frame.text);
      if (counts.deltaBytes > limits.outputBytes) return { kind: "failed", failure: failure("output_too_large") };
      await o.onFrame(frame);
      return undefined;
    case "usage":
      onceStarted(counts);
      counts.reported = frame.usage ?? counts.reported;
      return undefined;
    case "take":
      await handOver(o, call);
      return undefined;
    case "ask": {
      onceStarted(counts);
      const { t: _ask, usage: _usage, delivered: _delivered, ...asked } = frame;
      return { kind: "suspended", asked, ...saidBy(frame, counts) };
    }
    case "result": {
      onceStarted(counts);
      const read = readParts(frame.parts, o.request.workspace);
      if (!read.ok) return { kind: "failed", failure: read.failure, ...saidBy(frame, counts) };
      const kept = frame.kept === undefined ? {} : { kept: frame.kept };
      return { kind: "completed", parts: read.parts, ...saidBy(frame, counts), ...kept };
    }
    case "error":
      return {
        kind: "failed",
        failure: failure(frame.code, frame.message),
        ...(frame.stack === "" ? {} : { stack: frame.stack }),
        ...saidBy(frame, counts),
      };
    case "checked":
      throw new ProtocolError("the guest answered a question that was not asked");
  }
}

const used = (usage: Usage | undefined): { usage?: Usage } => (usage === undefined ? {} : { usage });

/** Returns what the guest's last frame says about the attempt. */
function saidBy({ usage, delivered = 0 }: LastWords, { taken }: Counts): LastWords {
  return { ...used(usage), ...(taken === 0 ? {} : { delivered: Math.min(delivered, taken) }) };
}

/** Hands over the messages that steer the turn. A guest asks once for each hint. */
async function handOver(o: RunTurnOptions, call: Call): Promise<void> {
  const { counts } = call;
  onceStarted(counts);
  if (o.inbox === undefined || !counts.isHinted) throw new ProtocolError("no message waits: use context.inbox");
  counts.isHinted = false;
  // A turn that is being stopped takes nothing: its guest no longer waits for it.
  if (o.signal.aborted || call.isStopping || call.over.aborted) return;
  const messages = await o.inbox.take();
  counts.taken += messages.length;
  sendFrame(o.channel, { t: "taken", messages });
}

interface Call {
  onCalled(): void;
  readonly counts: Counts;
  readonly over: AbortSignal;
  /** Whether the agent was asked to stop. */
  isStopping: boolean;
}

async function endOfProcess(o: RunTurnOptions, over: AbortSignal): Promise<TurnEnding> {
  const exit = await Promise.race([o.exited, after(exitFollowsMs, over)]);
  if (exit === undefined) {
    const message = "the agent closed file descriptors that are not its own, and with them the way to answer";
    return { kind: "failed", failure: failure("agent_error", message), lacksExit: true };
  }
  return { kind: "failed", failure: toExitFailure(exit, await o.stderrTail?.()) };
}

/** Kept between turns: what was already read from a channel belongs to the next turn. */
const framesOf = new WeakMap<Duplex, AsyncGenerator<GuestFrame, void>>();

/** Reads the frames of an untrusted guest; also used by the entrypoint check. */
export function readGuestFrames(channel: Duplex): AsyncGenerator<GuestFrame, void> {
  const known = framesOf.get(channel);
  if (known !== undefined) return known;
  const frames = readFrames(channel);
  framesOf.set(channel, frames);
  return frames;
}

async function* readFrames(channel: Duplex): AsyncGenerator<GuestFrame, void> {
  for await (const line of readLines(channel, limits.harnessFrameBytes)) yield parseGuestFrame(line);
}

async function elapsed(
  o: RunTurnOptions,
  called: Promise<void>,
  over: AbortSignal,
): Promise<"timeout" | "load_timeout"> {
  const loadMs = o.loadTimeoutMs ?? limits.agentLoadMs;
  const loaded = await Promise.race([called.then(() => true), after(loadMs, over).then(() => false)]);
  if (!loaded) return "load_timeout";
  await after(o.timeoutMs, over);
  return "timeout";
}

/** Created once: aborting without a reason creates an error with a stack for every turn. */
export const turnEndedReason = "the turn has ended";

/** Resolves after `ms`, but never once `over` has aborted. It only loses a race then, so an error would be a waste. */
function after(ms: number, over: AbortSignal): Promise<undefined> {
  return new Promise((resolve) => {
    if (over.aborted) return;
    const timer = setTimeout(() => resolve(undefined), ms);
    over.addEventListener("abort", () => clearTimeout(timer), { once: true });
  });
}

/** Never resolves once `over` has aborted. */
export function waitForAbort(signal: AbortSignal, over: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true, signal: over });
  });
}

function loadTimeoutMessage(o: RunTurnOptions): string {
  return `the agent's code was not loaded within ${(o.loadTimeoutMs ?? limits.agentLoadMs) / 1000} seconds`;
}
