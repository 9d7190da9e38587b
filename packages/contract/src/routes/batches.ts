// Many sessions, each with a first message, started by one request.

import { messageMachine } from "@dari/domain";
import Type from "typebox";
import type { Route } from "./route.ts";
import * as batches from "../schemas/batches.ts";
import { listOf, listQuery, oneOf } from "../schemas/common.ts";

export const batchRoutes = {
  createSessionBatch: {
    method: "POST",
    path: "/v1/session-batches",
    scope: "run",
    summary: "Start many sessions of an agent, each with a first message. If one session is refused, none is started.",
    request: batches.CreateSessionBatchRequest,
    reply: batches.SessionBatchCreated,
    status: 201,
    countsAs: "batch",
    idempotent: true,
  },
  listSessionBatches: {
    method: "GET",
    path: "/v1/session-batches",
    scope: "read",
    summary: "List batches, newest first, without the outcome of their messages.",
    query: Type.Object(listQuery),
    reply: listOf("session_batches", batches.SessionBatchSummary),
    status: 200,
  },
  getSessionBatch: {
    method: "GET",
    path: "/v1/session-batches/{session_batch_id}",
    scope: "read",
    summary: "Get a batch, with the number of its first messages by status.",
    reply: batches.SessionBatchRecord,
    status: 200,
  },
  listBatchSessions: {
    method: "GET",
    path: "/v1/session-batches/{session_batch_id}/sessions",
    scope: "read",
    summary: "List the sessions of a batch, in the order of the request.",
    query: Type.Object({ ...listQuery, message_status: Type.Optional(oneOf(messageMachine.states)) }),
    reply: listOf("sessions", batches.BatchSessionRecord),
    status: 200,
  },
  getBatchResults: {
    method: "GET",
    path: "/v1/session-batches/{session_batch_id}/results",
    scope: "read",
    summary:
      "Get a batch's results as JSON lines, in the order of the request: prompt, status, answer, error, duration. A " +
      "retried message has the result of its newest retry.",
    replyContent: "application/x-ndjson",
    status: 200,
  },
  cancelSessionBatch: {
    method: "POST",
    path: "/v1/session-batches/{session_batch_id}/cancel",
    scope: "run",
    summary:
      "Cancel the first messages of a batch that have not ended: queued ones immediately, running ones when their " +
      "turns stop.",
    reply: batches.SessionBatchRecord,
    status: 200,
  },
} as const satisfies Record<string, Route>;
