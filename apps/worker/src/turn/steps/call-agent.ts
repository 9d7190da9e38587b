// Calls the agent in its sandbox, and records its events and output until it ends.

import { join } from "node:path";
import { retryThroughOutage } from "@dari/control/context";
import { traceparentOf } from "@dari/control/operations";
import { countAttempt, recordStep, takeSteering, type TurnPart } from "@dari/control/turns";
import {
  runTurn,
  type RunRequest,
  type RunTurnOptions,
  type StepFrame,
  type TurnEnding,
  type TurnInbox,
} from "@dari/harness";
import type { Sandbox } from "@dari/sandbox";
import type { RestoredAttempt } from "../attempt.ts";
import type { AnswerKeeper } from "../recorders/keep-answers.ts";
import type { TextCollector } from "../recorders/collect-text.ts";
import type { EventRecorder } from "../recorders/record-events.ts";
import type { ValueRecorder } from "../recorders/record-values.ts";
import type { LogRecorder } from "../recorders/record-logs.ts";
import type { ModelRequestRecorder } from "../recorders/record-model-requests.ts";
import type { TurnGate } from "../model-limits/turn-gate.ts";
import type { PieceScrubber } from "../scrub/scrub-pieces.ts";
import type { PreviewSender } from "../recorders/send-previews.ts";

/** An attempt whose agent is called, and the receivers of the agent's output. */
export interface AgentCall {
  readonly attempt: RestoredAttempt;
  readonly logs: LogRecorder;
  readonly previews: PreviewSender;
  readonly events: EventRecorder;
  readonly values: ValueRecorder;
  readonly modelRequests: ModelRequestRecorder;
  /** Undefined: requests to models need no admission. */
  readonly gate: TurnGate | undefined;
  readonly answers: AnswerKeeper;
  /** Collects the agent's text. */
  readonly partialText: TextCollector;
  /** Shows what the model writes besides text. */
  readonly pieces: PieceScrubber;
}

export function callAgent(
  call: AgentCall,
  sandbox: Sandbox,
  o: {
    /** Resolves when the turn's files are mounted. */
    readonly filesMounted: Promise<void>;
    /** Whether the guest should wait for another turn after this one. */
    readonly canRest: boolean;
    /** Called when the attempt is counted, just before the agent is called. */
    onCall(): void;
    stderrTail(): string;
  },
): Promise<TurnEnding> {
  const { context, turn, opened, lease, watch } = call.attempt;
  const { signal } = lease;
  return runTurn({
    channel: sandbox.channel,
    exited: sandbox.exited,
    request: { ...requestOf(call.attempt, sandbox), again: o.canRest },
    timeoutMs: turn.manifest.runtime.timeout_seconds * 1_000,
    signal,
    async beforeCall() {
      await o.filesMounted;
      watch.lap("start_ms");
      const moved = opened.parts === turn.parts ? undefined : opened.parts;
      const isCounted = await retryThroughOutage(context, () => countAttempt(context.db, turn, moved), signal);
      if (!isCounted) throw new Error("the claim was superseded before the call");
      o.onCall();
    },
    onFrame: frameRecorder(call),
    inbox: openInbox(call),
    stderrTail: o.stderrTail,
  });
}

/** Returns the handler of the guest's frames: it records the agent's events and steps, and collects its text. */
function frameRecorder(call: AgentCall): RunTurnOptions["onFrame"] {
  const { partialText, pieces, previews, events, values } = call;
  return (frame) => {
    if (frame.t === "step") return storeStep(call, frame);
    if (frame.t === "delta") return partialText.add(frame.text, frame.ordinal);
    if (frame.t === "preview") return pieces.add(frame);
    if (frame.t === "value") return values.add(frame);
    if (frame.t === "omitted") return events.omit(frame.count);
    // Show the text that the agent wrote before the event, so that viewers get both in order.
    previews.flush();
    return frame.t === "event" ? events.emit(frame.name, frame.data) : events.add(frame);
  };
}

/** Stores a step's result, after the events of what the step has done: a later attempt does not do it again. */
async function storeStep({ attempt, previews, events }: AgentCall, { name, ordinal, json, usage }: StepFrame) {
  const { context, turn, lease } = attempt;
  previews.flush();
  await events.flush();
  const record = () => recordStep(context.db, turn, { name, ordinal, json }, usage);
  if (await retryThroughOutage(context, record, lease.signal)) return;
  throw new Error("the claim was superseded during the call");
}

/** Returns the turn's inbox: the messages that clients send to steer it. */
function openInbox({ attempt, previews, events }: AgentCall): TurnInbox {
  const { context, turn, lease } = attempt;
  return {
    watch(onWaiting) {
      if (turn.steeringWaits) onWaiting();
      return lease.onSteering(onWaiting);
    },
    async take() {
      // The messages' place is after everything that the agent has done until now.
      previews.flush();
      await events.flush();
      const take = () => takeSteering(context.db, turn, attempt.taken.length);
      const taken = await retryThroughOutage(context, take, lease.signal);
      if (taken === undefined) throw new Error("the claim was superseded during the call");
      attempt.taken.push(...taken.map(({ id }) => id));
      if (taken.length > 0) context.notifier.notify("session", turn.sessionId);
      return taken;
    },
  };
}

function requestOf({ turn, opened }: RestoredAttempt, { paths }: Sandbox): RunRequest {
  return {
    entry: turn.image.entry,
    imageDir: paths.image,
    sdk: turn.manifest.sdk,
    prompt: promptOf(opened.parts),
    workspace: paths.workspace,
    context: {
      sessionId: turn.sessionId,
      messageId: turn.messageId,
      attempt: turn.attemptNumber,
      parts: opened.parts.map((part) =>
        part.type === "text" ? part : { ...part, local_path: join(paths.workspace, part.path) },
      ),
      metadata: turn.metadata,
      history: turn.history,
      operationKey: turn.messageId,
      traceparent: traceparentOf(turn.messageId, turn.attemptId),
      answers: turn.resume?.answers ?? {},
      ...(turn.takenBefore.length > 0 ? { earlierMessages: turn.takenBefore } : {}),
      ...(turn.steps.length > 0 ? { steps: turn.steps } : {}),
    },
  };
}

/** Joins the text parts in order, one paragraph each. */
function promptOf(parts: readonly TurnPart[]): string {
  return parts.flatMap((part) => (part.type === "text" ? [part.text] : [])).join("\n\n");
}
