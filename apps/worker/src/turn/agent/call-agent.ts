// Calls the agent in its sandbox, and records its events and output until it ends.

import { join } from "node:path";
import { retryThroughOutage } from "@dari/control/context";
import { traceparentOf } from "@dari/control/operations";
import { countAttempt, recordStep, takeSteering, type TurnPart } from "@dari/control/turns";
import { modelRequestLimits } from "@dari/domain";
import { runTurn, type RunRequest, type StepFrame, type TurnEnding, type TurnInbox } from "@dari/harness";
import type { Sandbox } from "@dari/sandbox";
import type { RestoredAttempt } from "../attempt.ts";
import type { TurnRecorders } from "./turn-recorders.ts";

export function callAgent(
  attempt: RestoredAttempt,
  recorders: TurnRecorders,
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
  const { context, turn, opened, lease, watch } = attempt;
  const { signal } = lease;
  return runTurn({
    channel: sandbox.channel,
    exited: sandbox.exited,
    request: { ...requestOf(attempt, sandbox), again: o.canRest },
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
    onFrame: (frame) => (frame.t === "step" ? storeStep(attempt, recorders, frame) : recorders.addFrame(frame)),
    inbox: openInbox(attempt, recorders),
    stderrTail: o.stderrTail,
  });
}

/** Stores a step's result, after the events of what the step has done: a later attempt does not do it again. */
async function storeStep(
  { context, turn, lease }: RestoredAttempt,
  recorders: TurnRecorders,
  { name, ordinal, json, usage }: StepFrame,
): Promise<void> {
  await recorders.flush();
  const record = () => recordStep(context.db, turn, { name, ordinal, json }, usage);
  if (await retryThroughOutage(context, record, lease.signal)) return;
  throw new Error("the claim was superseded during the call");
}

/** Returns the turn's inbox: the messages that clients send to steer it. */
function openInbox({ context, turn, lease, cleanup }: RestoredAttempt, recorders: TurnRecorders): TurnInbox {
  const takenIds: string[] = [];
  cleanup.defer("turn.taken_not_notified", () => {
    for (const id of takenIds) context.notifier.notify("message", id);
  });
  return {
    watch(onWaiting) {
      if (turn.steeringWaits) onWaiting();
      return lease.onSteering(onWaiting);
    },
    async take() {
      // The messages' place is after everything that the agent has done until now.
      await recorders.flush();
      const take = () => takeSteering(context.db, turn, takenIds.length);
      const taken = await retryThroughOutage(context, take, lease.signal);
      if (taken === undefined) throw new Error("the claim was superseded during the call");
      takenIds.push(...taken.map(({ id }) => id));
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
    maxTurns: turn.manifest.run?.max_turns ?? modelRequestLimits.perRunDefault,
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
