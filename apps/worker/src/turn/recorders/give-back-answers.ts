// Gives an attempt the recorded answers of earlier attempts of its message, and a replay those of the message that it
// replays. If an answer cannot be read, that is logged and the model is asked again.

import { readRecordedAnswer } from "@dari/control/storage";
import type { Turn } from "@dari/control/turns";
import type { RecordedAnswerRow } from "@dari/db";
import { waitUntilSettled } from "@dari/domain";
import type { AnswerRoom, HeldAnswer } from "@dari/gateway";
import type { RestoredAttempt } from "../attempt.ts";
import { decodeAnswer } from "./encode-answer.ts";
import type { LogRecorder } from "./record-logs.ts";

/** How long a request to a model waits until its recorded answer is read, in milliseconds. */
const readWithinMs = 5_000;

export interface EarlierAnswers {
  /** Never rejects. */
  find(digest: string, ordinal: number): Promise<HeldAnswer | undefined>;
  /** Writes to the log of a replay how many recorded answers were used. */
  tellUse(): void;
}

/** A recorded answer, and the message that its object is sealed for. */
type OwnedRow = RecordedAnswerRow & { readonly messageId: string };

/** Returns what can be used, by digest and number. What a replay has recorded itself replaces what it replays. */
function readRows({ messageId, recordedAnswers, replay }: Turn): ReadonlyMap<string, OwnedRow> {
  const replayed = (replay?.answers ?? []).map((row) => ({ ...row, messageId: replay!.of }));
  const own = recordedAnswers.map((row) => ({ ...row, messageId }));
  return new Map([...replayed, ...own].map((row) => [`${row.digest} ${row.ordinal}`, row]));
}

export function openEarlierAnswers(
  { context, turn }: Pick<RestoredAttempt, "context" | "turn">,
  room: AnswerRoom,
  logs: Pick<LogRecorder, "add">,
): EarlierAnswers {
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
      const reading = readRecordedAnswer(
        { ...context, blobs: context.workspaces.blobs },
        { organizationId, messageId: row.messageId },
        row,
      ).then((bytes) => ({
        answer: decodeAnswer(bytes),
        release,
      }));
      let isRead = false;
      const settled = reading.then(
        () => void (isRead = true),
        () => void (isRead = true),
      );
      await waitUntilSettled(readWithinMs, settled);
      if (!isRead) {
        isSlow = true;
        void settled.then(release);
        logs.add(
          "platform",
          `a recorded answer of a model was not read in ${readWithinMs} ms; the model is asked again\n`,
        );
        return undefined;
      }
      return reading.catch((err: unknown) => {
        release();
        context.log.error({ err, attempt: turn.attemptId, object: row.objectKey }, "turn.recorded_answer_unreadable");
        logs.add("platform", "a recorded answer of a model cannot be read; the model is asked again\n");
        return undefined;
      });
    },
  };
}
