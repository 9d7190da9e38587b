// Records the answers of models while their message is open, for the attempt after a lost worker. An answer that cannot
// be stored is logged.

import { newAnswerObject, storeRecordedAnswer } from "@dari/control/storage";
import { recordedAnswerLimits, waitUntilSettled } from "@dari/domain";
import type { AnswerEntry, AnswerRecorder, AnswerResult, AnswerRoom, RecordedAnswer } from "@dari/gateway";
import type { RestoredAttempt } from "../attempt.ts";
import { encodeAnswer } from "./encode-answer.ts";
import { openEarlierAnswers } from "./give-back-answers.ts";
import type { LogRecorder } from "./record-logs.ts";
import type { ModelRequestRecorder } from "./record-model-requests.ts";

export interface TurnAnswers {
  /** Returns the attempt's recorder. Undefined if manifest or organization want none, and after `end`. */
  findAnswerRecorder(): AnswerRecorder | undefined;
  /** Resolves once the answers that have ended are stored, or after 5 s. Never rejects. */
  stored(): Promise<void>;
  /**
   * Ends the recorder. `isLastAttempt`: no later attempt needs its answers. Otherwise resolves once the answers that
   * have ended are stored, or after 2 s. Never rejects.
   */
  end(isLastAttempt: boolean): Promise<void>;
}

/** How long a request to a model waits until the answers before it are stored, in milliseconds. */
const storeWithinMs = 5_000;
const endWithinMs = 2_000;

type AnsweredAttempt = Pick<RestoredAttempt, "context" | "turn" | "lease" | "answerObjects"> & {
  /** Stores the tokens of a request before its answer: the attempt that gets the answer has none for it. */
  readonly modelRequests: Pick<ModelRequestRecorder, "flush">;
};

export function openTurnAnswers(attempt: AnsweredAttempt, logs: Pick<LogRecorder, "add">): TurnAnswers {
  const { manifest, replay, answerRecording } = attempt.turn;
  if (manifest.retries.record_answers === undefined && replay === undefined) return recordsNothing;
  if (answerRecording === "never") {
    logs.add("platform", forbidden);
    return recordsNothing;
  }
  const recorder = openRecorder(attempt, logs);
  let isEnded = false;
  return {
    findAnswerRecorder: () => (isEnded ? undefined : recorder),
    stored: () => recorder.settled(),
    async end(isLastAttempt) {
      isEnded = true;
      recorder.tellUse();
      if (!isLastAttempt) await recorder.stored(endWithinMs);
    },
  };
}

const forbidden =
  "answers of models are not recorded, and none recorded before are used, because the organization does not allow " +
  "it; an admin can allow it with `dari org answer-recording set allowed`\n";

const recordsNothing: TurnAnswers = {
  findAnswerRecorder: () => undefined,
  stored: () => Promise.resolve(),
  end: () => Promise.resolve(),
};

interface OpenRecorder extends AnswerRecorder {
  /** Resolves once the answers that have ended are stored, or after this time. Returns whether they are. */
  stored(withinMs: number): Promise<boolean>;
  /** Writes to the log of a replay how many recorded answers were used. */
  tellUse(): void;
}

function openRecorder(attempt: AnsweredAttempt, logs: Pick<LogRecorder, "add">): OpenRecorder {
  const room = createRoom(recordedAnswerLimits.heldBytesPerTurn, roomOfWorker);
  const earlier = openEarlierAnswers(attempt, room, logs);
  /** The numbers of each digest that this attempt uses. */
  const taken = new Map<string, Set<number>>();
  const storing = new Set<Promise<void>>();
  let count = 0;
  const told = new Set<string>();
  const store = createAnswerStore(attempt, logs, told);
  /** While the store does not answer, no request waits for it. */
  let isSlow = false;

  async function stored(withinMs: number): Promise<boolean> {
    const now = [...storing];
    if (now.length > 0) await waitUntilSettled(withinMs, Promise.all(now));
    return now.every((each) => !storing.has(each));
  }
  function entryOf(digest: string, ordinal: number, numbers: Set<number>): AnswerEntry {
    return {
      find: () => earlier.find(digest, ordinal),
      end(result) {
        const done = endEntry(result).finally(() => storing.delete(done));
        storing.add(done);
        return done;
      },
    };
    async function endEntry(result: Promise<AnswerResult>): Promise<void> {
      const got = await result;
      if (got === "failed") {
        // The agent asks again: the next answer to this request is the one with this number.
        numbers.delete(ordinal);
        if (numbers.size === 0) taken.delete(digest);
        count -= 1;
      } else if (got !== "unrecorded" && (await store.add(digest, ordinal, got))) isSlow = false;
    }
  }

  return {
    room,
    stored,
    tellUse: earlier.tellUse,
    begin(digest) {
      if (digest === undefined) return tellOnce(logs, told, "a request is larger than can be held");
      if (count >= recordedAnswerLimits.rowsPerMessage) return tellOnce(logs, told, limitReached);
      const numbers = taken.get(digest) ?? new Set();
      taken.set(digest, numbers);
      let ordinal = 1;
      while (numbers.has(ordinal)) ordinal += 1;
      numbers.add(ordinal);
      count += 1;
      return entryOf(digest, ordinal, numbers);
    },
    async settled() {
      if (!isSlow) isSlow = !(await stored(storeWithinMs));
    },
  };
}

const { rowsPerMessage, bytesPerMessage } = recordedAnswerLimits;
const limitReached = `limit reached: ${rowsPerMessage} answers or ${bytesPerMessage / 1024 ** 2} MiB of a message`;

/** Writes to the turn's log once why an answer is not recorded. */
function tellOnce(logs: Pick<LogRecorder, "add">, told: Set<string>, why: string): undefined {
  if (!told.has(why)) logs.add("platform", `not every answer of a model is recorded: ${why}\n`);
  told.add(why);
  return undefined;
}

interface AnswerStore {
  /** Returns whether the answer is stored. Never rejects. */
  add(digest: string, ordinal: number, answer: RecordedAnswer): Promise<boolean>;
}

function createAnswerStore(
  { context, turn, lease, answerObjects, modelRequests }: AnsweredAttempt,
  logs: Pick<LogRecorder, "add">,
  told: Set<string>,
): AnswerStore {
  let isFull = false;
  return {
    async add(digest, ordinal, answer) {
      if (isFull || lease.signal.aborted) return false;
      const objectKey = newAnswerObject(turn.organizationId);
      answerObjects.push(objectKey);
      try {
        const recorded = { digest, ordinal, objectKey, bytes: encodeAnswer(answer) };
        const outcome = await storeRecordedAnswer({ ...context, blobs: context.workspaces.blobs }, turn, recorded, {
          signal: lease.signal,
          beforeRow: () => modelRequests.flush(),
        });
        isFull ||= outcome === "full";
        if (isFull) tellOnce(logs, told, limitReached);
        return outcome === "stored";
      } catch (err) {
        context.log.warn({ err, attempt: turn.attemptId }, "turn.recorded_answer_lost");
        return false;
      }
    },
  };
}

/** `outer`: has the bytes as well. */
function createRoom(bytesMax: number, outer?: AnswerRoom): AnswerRoom {
  let bytes = 0;
  return {
    take(more) {
      if (bytes + more > bytesMax || outer?.take(more) === false) return false;
      bytes += more;
      return true;
    },
    give(back) {
      bytes -= back;
      outer?.give(back);
    },
  };
}

/** Shared by all turns of this process. */
const roomOfWorker = createRoom(recordedAnswerLimits.heldBytesPerWorker);
