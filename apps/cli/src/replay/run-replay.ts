// Replays a message, waits for the end, and compares it with the original.

import type { Client } from "@dari/client";
import type { MessageRecord, ReplayReport } from "@dari/contract";
import { textOfAnswer } from "../answer-text.ts";
import { given } from "../options.ts";
import { formatDollars } from "../output.ts";

export interface ReplayOptions {
  readonly versionId?: string;
  /** Whether requests without a recorded answer go to the model. */
  readonly live: boolean;
  /** Whether the session of the replay stays. */
  readonly keep?: boolean;
}

export interface Replayed {
  readonly report: ReplayReport;
  /** The record at its end. */
  readonly replay: MessageRecord;
  /** The session of the replay, if it stays. */
  readonly sessionId: string | undefined;
}

interface Run extends ReplayOptions {
  readonly signal: AbortSignal;
  progress(line: string): void;
}

/** A turn that asks for an input has already diverged: the original asked for none. So it is cancelled. */
export async function runReplay(api: Client, messageId: string, run: Run): Promise<Replayed> {
  const { versionId, live, keep = false, signal, progress } = run;
  const body = { ...given({ version_id: versionId }), ...(live ? {} : { live }) };
  const { id, session_id: sessionId } = await api.replayMessage(messageId, body, { signal });
  try {
    let isCancelled = false;
    const replay = await api.waitForMessage(id, {
      signal,
      onRecord({ status }) {
        if (status !== "waiting_for_input" || isCancelled) return;
        isCancelled = true;
        progress(`the replay of ${messageId} asks for an input; it is cancelled`);
        void api.cancelMessage(id, { signal }).catch(() => undefined);
      },
    });
    const report = await api.getReplay(id, { signal });
    return { report, replay, sessionId: keep ? sessionId : undefined };
  } finally {
    if (!keep) await deleteFork(api, sessionId, progress);
  }
}

/** An interrupted command also deletes its fork. */
async function deleteFork(api: Client, sessionId: string, progress: Run["progress"]): Promise<void> {
  await api.deleteSession(sessionId, { cancel: true }).catch((error: unknown) => {
    progress(`the replay's session ${sessionId} is left; delete it: ${String(error)}`);
  });
}

/** What of a replay differs, in a few words. */
export function describeChanges(report: ReplayReport): string {
  const { status, is_answer_changed, files_changed, are_requests_changed } = report;
  if (status !== "completed") return status;
  const changes = [
    ...(is_answer_changed ? ["answer"] : []),
    ...(files_changed.length > 0 ? ["files"] : []),
    ...(are_requests_changed ? ["requests"] : []),
  ];
  return changes.length === 0 ? "same" : `changed: ${changes.join(", ")}`;
}

export function describeRequests({ requests }: ReplayReport): string {
  const { original, recorded, live, first_live: first } = requests;
  const asked = first === null ? `${live} live` : `${live} live, the first is number ${first}`;
  return `${recorded} recorded, ${asked}; originally ${original}`;
}

/** Renders the report with both answers, if they differ. */
export function renderReplay({ report, replay }: Replayed, original: MessageRecord): string {
  const { message_id, replay_of, version_id, is_answer_changed, files_changed } = report;
  const error = replay.output?.error;
  return [
    `${message_id} replays ${replay_of} on ${version_id}: ${describeChanges(report)}`,
    ...(error === undefined ? [] : [`error     ${error.code}: ${error.message}`]),
    `answer    ${is_answer_changed ? "changed" : "same"}`,
    `files     ${files_changed.length === 0 ? "same" : `${files_changed.length} differ`}`,
    `requests  ${describeRequests(report)}`,
    `cost      ${showCost(report.cost_microusd)}; originally ${showCost(report.original_cost_microusd)}`,
    ...(files_changed.length === 0 ? [] : ["", ...files_changed.map(({ change, path }) => `${change} ${path}`)]),
    ...(is_answer_changed ? ["", ...markLines("-", original), ...markLines("+", replay)] : []),
  ].join("\n");
}

export function showCost(micro: number | null): string {
  return micro === null ? "unknown" : formatDollars(micro);
}

function markLines(mark: string, record: MessageRecord): string[] {
  const text = textOfAnswer(record);
  return text === "" ? [] : text.split("\n").map((line) => `${mark} ${line}`);
}
