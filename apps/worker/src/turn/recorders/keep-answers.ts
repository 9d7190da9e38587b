// Keeps the answers of models while their message is open, and gives the attempt after a lost worker those that were
// kept. A replay gets those of the message that it replays. An answer that cannot be stored or read is logged, and the
// model is asked again.

import type { RecordedAnswerRow } from "@dari/db";
import { newAnswerObject, readModelAnswer, storeModelAnswer } from "@dari/control/storage";
import { modelAnswerLimits, waitUntilSettled } from "@dari/domain";
import type { AnswerJournal, AnswerRoom, HeldAnswer, JournalEntry, JournalResult, RecordedAnswer } from "@dari/gateway";
import type { RestoredAttempt } from "../attempt.ts";
import type { LogRecorder } from "./record-logs.ts";
import type { ModelRequestRecorder } from "./record-model-requests.ts";

export interface AnswerKeeper {
  /** Returns the attempt's journal. Undefined if manifest or organization want none, and after `end`. */
  findJournal(): AnswerJournal | undefined;
  /** Resolves once the answers that have ended are stored, or after 5 s. Never rejects. */
  stored(): Promise<void>;
  /**
   * Ends the journal. `isLastAttempt`: no later attempt needs its answers. Otherwise resolves once the answers that
   * have ended are stored, or after 2 s. Never rejects.
   */
  end(isLastAttempt: boolean): Promise<void>;
}

/** How long a request to a model waits until the answers before it are stored, or its own is read. Milliseconds. */
const storeWithinMs = 5_000;
const endWithinMs = 2_000;

type KeptAttempt = Pick<RestoredAttempt, "context" | "turn" | "lease" | "answerObjects"> & {
  /** Stores the tokens of a request before its answer: the attempt that gets the answer has none for it. */
  readonly modelRequests: Pick<ModelRequestRecorder, "flush">;
};

export function createAnswerKeeper(attempt: KeptAttempt, logs: Pick<LogRecorder, "add">): AnswerKeeper {
  const { manifest, replay, answerRecording } = attempt.turn;
  if (manifest.retries.record_answers === undefined && replay === undefined) return keepsNothing;
  if (answerRecording === "never") {
    logs.add("platform", forbidden);
    return keepsNothing;
  }
  const journal = openJournal(attempt, logs);
  let isEnded = false;
  return {
    findJournal: () => (isEnded ? undefined : journal),
    stored: () => journal.settled(),
    async end(isLastAttempt) {
      isEnded = true;
      journal.tellUse();
      if (!isLastAttempt) await journal.stored(endWithinMs);
    },
  };
}

const forbidden =
  "answers of models are not recorded, and none recorded before are used, because the organization does not allow " +
  "it; an admin can allow it with `dari org answer-recording set allowed`\n";

const keepsNothing: AnswerKeeper = {
  findJournal: () => undefined,
  stored: () => Promise.resolve(),
  end: () => Promise.resolve(),
};

interface OpenJournal extends AnswerJournal {
  /** Resolves once the answers that have ended are stored, or after this time. Returns whether they are. */
  stored(withinMs: number): Promise<boolean>;
  /** Writes to the log of a replay how many recorded answers were used. */
  tellUse(): void;
}

function openJournal(attempt: KeptAttempt, logs: Pick<LogRecorder, "add">): OpenJournal {
  const room = createRoom(modelAnswerLimits.heldBytesPerTurn, roomOfWorker);
  const recorded = createRecordedAnswers(attempt, room, logs);
  /** The numbers of each digest that this attempt uses. */
  const taken = new Map<string, Set<number>>();
  const storing = new Set<Promise<void>>();
  let count = 0;
  const told = new Set<string>();
  const recorder = createRecorder(attempt, logs, told);
  /** While the store does not answer, no request waits for it. */
  let isSlow = false;

  async function stored(withinMs: number): Promise<boolean> {
    const now = [...storing];
    if (now.length > 0) await waitUntilSettled(withinMs, Promise.all(now));
    return now.every((each) => !storing.has(each));
  }
  function entryOf(digest: string, ordinal: number, numbers: Set<number>): JournalEntry {
    return {
      find: () => recorded.find(digest, ordinal),
      end(result) {
        const done = endEntry(result).finally(() => storing.delete(done));
        storing.add(done);
        return done;
      },
    };
    async function endEntry(result: Promise<JournalResult>): Promise<void> {
      const got = await result;
      if (got === "failed") {
        // The agent asks again: the next answer to this request is the one with this number.
        numbers.delete(ordinal);
        if (numbers.size === 0) taken.delete(digest);
        count -= 1;
      } else if (got !== "unkept" && (await recorder.record(digest, ordinal, got))) isSlow = false;
    }
  }

  return {
    room,
    stored,
    tellUse: recorded.tellUse,
    begin(digest) {
      if (digest === undefined) return tellOnce(logs, told, "a request is larger than can be held");
      if (count >= modelAnswerLimits.rowsPerMessage) return tellOnce(logs, told, limitReached);
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

const { rowsPerMessage, bytesPerMessage } = modelAnswerLimits;
const limitReached = `limit reached: ${rowsPerMessage} answers or ${bytesPerMessage / 1024 ** 2} MiB of a message`;

/** Writes to the turn's log once why an answer is not recorded. */
function tellOnce(logs: Pick<LogRecorder, "add">, told: Set<string>, why: string): undefined {
  if (!told.has(why)) logs.add("platform", `not every answer of a model is recorded: ${why}\n`);
  told.add(why);
  return undefined;
}

interface RecordedAnswers {
  /** Never rejects. */
  find(digest: string, ordinal: number): Promise<HeldAnswer | undefined>;
  /** See `OpenJournal`. */
  tellUse(): void;
}

/** A recorded answer, and the message that its object is sealed for. */
type OwnedRow = RecordedAnswerRow & { readonly messageId: string };

/** Returns what can be used, by digest and number. What a replay has recorded itself replaces what it replays. */
function readRows({ messageId, recordedAnswers, replay }: KeptAttempt["turn"]): ReadonlyMap<string, OwnedRow> {
  const replayed = (replay?.answers ?? []).map((row) => ({ ...row, messageId: replay!.of }));
  const own = recordedAnswers.map((row) => ({ ...row, messageId }));
  return new Map([...replayed, ...own].map((row) => [`${row.digest} ${row.ordinal}`, row]));
}

function createRecordedAnswers(
  { context, turn }: KeptAttempt,
  room: AnswerRoom,
  logs: Pick<LogRecorder, "add">,
): RecordedAnswers {
  const { organizationId, replay } = turn;
  const rows = readRows(turn);
  const found = new Set<string>();
  let asked = 0;
  let hasDiverged = false;
  /** Once the store does not answer in time, no request waits for it. */
  let isSlow = false;
  return {
    tellUse() {
      if (replay === undefined) return;
      const used = `${found.size} of ${rows.size} recorded answers were used`;
      logs.add("platform", `this was a replay of ${replay.of}: it made ${asked} requests to models, and ${used}\n`);
    },
    async find(digest, ordinal) {
      const key = `${digest} ${ordinal}`;
      const row = rows.get(key);
      asked += 1;
      if (row === undefined) {
        const rest = rows.size - found.size;
        if (!hasDiverged && (rest > 0 || replay !== undefined)) {
          const which = replay === undefined ? "a request to a model" : `request ${asked} of this replay`;
          logs.add("platform", `no answer is recorded for ${which}; ${rest} recorded ones are not used yet\n`);
          hasDiverged = true;
        }
        return undefined;
      }
      found.add(key);
      if (isSlow || !room.take(row.sizeBytes)) return undefined;
      const release = (): void => room.give(row.sizeBytes);
      const reading = readModelAnswer(
        { ...context, blobs: context.workspaces.blobs },
        { organizationId, messageId: row.messageId },
        row,
      ).then((bytes) => ({
        answer: decode(bytes),
        release,
      }));
      let isRead = false;
      const settled = reading.then(
        () => void (isRead = true),
        () => void (isRead = true),
      );
      await waitUntilSettled(storeWithinMs, settled);
      if (!isRead) {
        isSlow = true;
        void settled.then(release);
        logs.add(
          "platform",
          `a recorded answer of a model was not read in ${storeWithinMs} ms; the model is asked again\n`,
        );
        return undefined;
      }
      return reading.catch((err: unknown) => {
        release();
        context.log.error({ err, attempt: turn.attemptId, object: row.objectKey }, "turn.model_answer_unreadable");
        logs.add("platform", "a recorded answer of a model cannot be read; the model is asked again\n");
        return undefined;
      });
    },
  };
}

interface Recorder {
  /** Returns whether the answer is stored. Never rejects. */
  record(digest: string, ordinal: number, answer: RecordedAnswer): Promise<boolean>;
}

function createRecorder(
  { context, turn, lease, answerObjects, modelRequests }: KeptAttempt,
  logs: Pick<LogRecorder, "add">,
  told: Set<string>,
): Recorder {
  let isFull = false;
  return {
    async record(digest, ordinal, answer) {
      if (isFull || lease.signal.aborted) return false;
      const objectKey = newAnswerObject(turn.organizationId);
      answerObjects.push(objectKey);
      try {
        const kept = { digest, ordinal, objectKey, bytes: encode(answer) };
        const outcome = await storeModelAnswer({ ...context, blobs: context.workspaces.blobs }, turn, kept, {
          signal: lease.signal,
          beforeRow: () => modelRequests.flush(),
        });
        isFull ||= outcome === "full";
        if (isFull) tellOnce(logs, told, limitReached);
        return outcome === "stored";
      } catch (err) {
        context.log.warn({ err, attempt: turn.attemptId }, "turn.model_answer_lost");
        return false;
      }
    },
  };
}

/** The head as a line of JSON, then the body. */
function encode({ body, ...head }: RecordedAnswer): Buffer {
  return Buffer.concat([Buffer.from(`${JSON.stringify(head)}\n`), body]);
}

function decode(bytes: Buffer): RecordedAnswer {
  const end = bytes.indexOf("\n");
  const head = JSON.parse(bytes.toString("utf8", 0, end)) as Omit<RecordedAnswer, "body">;
  return { ...head, body: bytes.subarray(end + 1) };
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
const roomOfWorker = createRoom(modelAnswerLimits.heldBytesPerWorker);
