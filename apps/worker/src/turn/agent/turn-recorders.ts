// Opens and closes what records a running agent. Only this file knows the order, on which it depends that nothing that
// the agent did is lost, and that nothing is shown after the attempt's end.

import type { OutputPart, RunTurnOptions, StepFrame, TurnEnding } from "@dari/harness";
import type { SandboxReports } from "@dari/sandbox";
import type { RestoredAttempt } from "../attempt.ts";
import { isMetered, limitModelRequests } from "../model-limits/limit-model-requests.ts";
import { refuseModelRequests } from "../model-limits/refuse-model-requests.ts";
import type { TurnGate } from "../model-limits/turn-gate.ts";
import { logEgress } from "../network/log-egress.ts";
import { createPieceScrubber, type PieceScrubber } from "../scrub/scrub-pieces.ts";
import { createTextCollector, type TextCollector } from "../recorders/collect-text.ts";
import { openTurnAnswers, type TurnAnswers } from "../recorders/record-answers.ts";
import { createEventRecorder, type EventRecorder } from "../recorders/record-events.ts";
import { startLogRecorder, type LogRecorder } from "../recorders/record-logs.ts";
import { createModelRequestRecorder, type ModelRequestRecorder } from "../recorders/record-model-requests.ts";
import { createValueRecorder, type ValueRecorder } from "../recorders/record-values.ts";
import { startPreviewSender, type PreviewSender } from "../recorders/send-previews.ts";

export interface RecorderParts {
  readonly logs: LogRecorder;
  readonly previews: PreviewSender;
  /** Collects the agent's text. */
  readonly text: TextCollector;
  /** Shows what the model writes besides text. */
  readonly pieces: PieceScrubber;
  readonly events: EventRecorder;
  readonly values: ValueRecorder;
  readonly modelRequests: ModelRequestRecorder;
  readonly answers: TurnAnswers;
  /** Undefined: requests to models need no admission. */
  readonly gate: TurnGate | undefined;
}

/** Opens the recorders of an attempt, each after those that it writes to. */
export function openRecorders(attempt: RestoredAttempt): TurnRecorders {
  const { context, turn } = attempt;
  const logs = startLogRecorder(context, turn);
  const previews = startPreviewSender(context.previews, turn);
  const text = createTextCollector(turn.scrubber, previews.delta);
  const pieces = createPieceScrubber(turn.scrubber, previews.piece);
  const events = createEventRecorder(attempt, logs);
  const values = createValueRecorder(attempt, logs);
  const modelRequests = createModelRequestRecorder(attempt);
  const answers = openTurnAnswers({ ...attempt, modelRequests }, logs);
  const gate =
    turn.replay?.asksModels === false
      ? refuseModelRequests(turn.replay.of)
      : limitModelRequests(attempt, modelRequests, answers.stored);
  if (gate !== undefined && !isMetered(context, turn)) logs.add("platform", unmeteredWarning);
  return new TurnRecorders(attempt, { logs, previews, text, pieces, events, values, modelRequests, answers, gate });
}

const unmeteredWarning =
  "the limits of this message do not apply, because requests to models are not metered; with an isolating driver, " +
  "store the model's key with `dari credentials add NAME --hosts HOST`, or name the host under `models` in dari.yml\n";

/** Records what an agent does, until it is disposed. */
export class TurnRecorders implements AsyncDisposable {
  readonly #attempt: Pick<RestoredAttempt, "context" | "turn" | "lease">;
  readonly #parts: RecorderParts;
  #isCompleted = false;

  constructor(attempt: Pick<RestoredAttempt, "context" | "turn" | "lease">, parts: RecorderParts) {
    this.#attempt = attempt;
    this.#parts = parts;
  }

  get logs(): LogRecorder {
    return this.#parts.logs;
  }

  get gate(): TurnGate | undefined {
    return this.#parts.gate;
  }

  /** Returns the receivers of what the sandbox observes of the agent. */
  sandboxReports() {
    const { logs, modelRequests, gate, answers } = this.#parts;
    const { context, turn } = this.#attempt;
    return {
      onConnection: logEgress(context, turn, logs),
      onModelRequest: (request) => modelRequests.add(request),
      modelGate: () => gate,
      findAnswerRecorder: answers.findAnswerRecorder,
    } satisfies SandboxReports;
  }

  /** Records what the agent prints. */
  addOutput(stream: "stdout" | "stderr", text: string): void {
    this.#parts.logs.add(stream, text);
    this.#parts.previews.log(stream, text);
  }

  /** Records what the guest tells, except steps. Resolves when there is room for more. */
  addFrame(frame: Exclude<Parameters<RunTurnOptions["onFrame"]>[0], StepFrame>): Promise<void> | void {
    const { text, pieces, previews, events, values } = this.#parts;
    if (frame.t === "delta") return text.add(frame.text, frame.ordinal);
    if (frame.t === "preview") return pieces.add(frame);
    if (frame.t === "value") return values.add(frame);
    if (frame.t === "omitted") return events.omit(frame.count);
    // Show the text that the agent wrote before the event, so that viewers get both in order.
    previews.flush();
    return frame.t === "event" ? events.emit(frame.name, frame.data) : events.add(frame);
  }

  /** Shows and stores everything that the agent has done until now. Rejects if the claim was superseded. */
  async flush(): Promise<void> {
    this.#parts.previews.flush();
    await this.#parts.events.flush();
  }

  /**
   * Call it when the agent has ended. Resolves when its events and values are stored. Rejects if the claim was
   * superseded, unless the turn was stopped: the end of a stopped turn is recorded in any case.
   */
  async end(ending: TurnEnding): Promise<void> {
    const { text, events, values } = this.#parts;
    // Text that was held back is shown with what the agent wrote before.
    text.end({ isCut: isCut(ending) });
    const stored = events.end();
    await (this.#attempt.lease.signal.aborted ? stored.catch(() => {}) : stored);
    await values.end();
    this.#isCompleted = ending.kind === "completed";
  }

  /** Returns the agent's text so far. */
  partialParts(): OutputPart[] {
    return this.#parts.text.parts();
  }

  /** Closes every recorder. One that fails is logged and does not keep the others open. Never rejects. */
  async [Symbol.asyncDispose](): Promise<void> {
    const { logs, previews, events, gate, modelRequests, answers } = this.#parts;
    const { context, turn } = this.#attempt;
    const closings: readonly [recorder: string, close: () => Promise<void> | void][] = [
      // First, because no preview of an attempt may be shown after its end is recorded.
      ["previews", () => previews.flush()],
      ["events", () => events.stop()],
      // Before the requests are stored: the gate refuses those that wait, so that no further one is added.
      ["gate", () => gate?.close()],
      // Before the answers: a request's tokens are stored before its answer, because the attempt that gets the answer
      // has no tokens for it.
      ["model requests", () => modelRequests.end()],
      ["answers", () => answers.end(this.#isCompleted)],
      // Last, because the others write to the log.
      ["logs", () => logs.stop()],
      ["logs", () => logs.flush()],
    ];
    for (const [recorder, close] of closings) {
      try {
        await close();
      } catch (err) {
        context.log.error({ err, attempt: turn.attemptId, recorder }, "turn.recorder_not_closed");
      }
    }
  }
}

/** Returns whether the agent was stopped before its end. After that, it may still have written in the background. */
export function isCut({ kind }: TurnEnding): boolean {
  return kind !== "completed" && kind !== "suspended";
}
