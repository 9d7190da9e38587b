// Replays of completed turns, and the recordings that they need.

import Type from "typebox";
import type { Route } from "./route.ts";
import { listOf, listQuery } from "../schemas/common.ts";
import { MessageRecord } from "../schemas/messages.ts";
import * as replays from "../schemas/replays.ts";

export const replayRoutes = {
  replayMessage: {
    method: "POST",
    path: "/v1/messages/{message_id}/replay",
    scope: "run",
    summary:
      "Run a completed turn again with its recorded answers, in a fork from before the message. Its tools run again. " +
      "Requires `retries.record_answers.keep_days`.",
    request: replays.ReplayMessageRequest,
    bodyOptional: true,
    reply: MessageRecord,
    status: 202,
    countsAs: "messages",
    idempotent: true,
  },
  getReplay: {
    method: "GET",
    path: "/v1/messages/{message_id}/replay",
    scope: "read",
    summary: "Compare a replay that has ended with the message that it replays.",
    reply: replays.ReplayReport,
    status: 200,
    mayConflict: true,
  },
  listRecordings: {
    method: "GET",
    path: "/v1/agents/{agent_id}/recordings",
    scope: "read",
    summary: "List the messages of an agent that can be replayed, newest first.",
    query: Type.Object(listQuery),
    reply: listOf("recordings", replays.RecordingRecord),
    status: 200,
  },
} as const satisfies Record<string, Route>;
