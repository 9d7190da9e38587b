// Compares a replay with the message that it replays.

import type { MessageRecord, ReplayReport } from "@dari/contract";
import type { Actor, Control } from "@dari/control/context";
import { createSecretScrubber } from "@dari/control/tenants";
import { getMessage, getSession } from "@dari/control/turns";
import { recordings, sideSnapshots } from "@dari/db";
import { AppError, requireFound } from "@dari/domain";
import { diff, type Tree } from "@dari/workspace";
import { listClientChanges, type FileChange } from "../workspaces/list-client-changes.ts";

/**
 * @throws AppError `not_found`, also if the original message is gone; `conflict` if the message is no replay, or has
 *   not ended.
 */
export async function compareReplay(control: Control, actor: Actor, messageId: string): Promise<ReplayReport> {
  const { organizationId } = actor;
  const replay = await getMessage(control, actor, messageId);
  const { replay_of: originalId, status } = replay;
  if (originalId === undefined) throw new AppError("conflict", `${messageId} is no replay of a message`);
  if (replay.completed_at === null) throw new AppError("conflict", `${messageId} has not ended yet; it is ${status}`);
  const original = await getMessage(control, actor, originalId);
  const { version_id } = await getSession(control, actor, replay.session_id);
  const before = await recordings.countRequests(control.db, { organizationId, messageId: originalId });
  const after = await recordings.countRequests(control.db, { organizationId, messageId });
  const isAnswerChanged = status !== "completed" || answerOf(replay) !== answerOf(original);
  const files = status === "completed" ? await compareFiles(control, actor, original, replay) : [];
  const areRequestsChanged = after.live > 0 || after.answered !== before.answered;
  return {
    message_id: messageId,
    replay_of: originalId,
    version_id,
    status,
    is_same: !isAnswerChanged && files.length === 0 && !areRequestsChanged,
    is_answer_changed: isAnswerChanged,
    files_changed: files,
    are_requests_changed: areRequestsChanged,
    requests: {
      original: before.answered,
      recorded: after.recorded,
      live: after.live,
      first_live: after.firstLive,
    },
    original_cost_microusd: before.cost,
    cost_microusd: after.cost,
  };
}

/** The usage that an SDK reports can differ: it is no part of the answer. */
function answerOf({ output }: MessageRecord): string {
  return JSON.stringify(output?.parts ?? []);
}

async function compareFiles(
  control: Control,
  actor: Actor,
  original: MessageRecord,
  replay: MessageRecord,
): Promise<FileChange[]> {
  const { organizationId } = actor;
  const [before, after] = [await loadTree(control, actor, original.id), await loadTree(control, actor, replay.id)];
  const scrubber = await createSecretScrubber(control, organizationId, replay.session_id);
  return listClientChanges(diff(before, after)).map((change) => ({ ...change, path: scrubber.text(change.path) }));
}

/** Returns the workspace at the end of a completed turn. */
async function loadTree(control: Control, { organizationId }: Actor, messageId: string): Promise<Tree> {
  const found = await sideSnapshots.findMessageSnapshot(control.db, organizationId, messageId);
  return (await control.trees.load(organizationId, requireFound(found, "message").snapshotId)).tree;
}
