// Sessions, their messages and their events.

import { limits } from "@dari/domain";
import Type from "typebox";
import type { Route } from "./route.ts";
import { Deleted, agentInput, flagQuery, integerText, listOf, listQuery, nullable, oneOf } from "../schemas/common.ts";
import { EventRecord } from "../schemas/events.ts";
import * as messages from "../schemas/messages.ts";
import * as sent from "../schemas/sent-events.ts";
import * as sessions from "../schemas/sessions.ts";
import { sessionStarters, sessionStatuses, type SessionStarter } from "../vocabulary.ts";

const cancelQuery = Type.Object({ cancel: flagQuery });

const sequenceNumber = integerText(0, Number.MAX_SAFE_INTEGER, "Only events after this sequence number.");

const sessionFilter = {
  ...listQuery,
  status: Type.Optional(oneOf(sessionStatuses)),
  name: Type.Optional(
    Type.String({ maxLength: limits.nameChars, description: "Only sessions with exactly this name." }),
  ),
};

/** Clients of the hosted service look for a session by its name on the first page only. */
const agentSessionsLimit = integerText(1, limits.listLimitMax, `Rows per page (default ${limits.listLimitMax}).`);

const sendMessage = {
  method: "POST",
  scope: "run",
  request: messages.SendMessageRequest,
  reply: messages.MessageRecord,
  countsAs: "messages",
  idempotent: true,
} as const;

const sendEvent = {
  method: "POST",
  scope: "run",
  reply: sent.SentEvent,
  status: 202,
  countsAs: "messages",
  idempotent: true,
} as const;

export const sessionRoutes = {
  createSession: {
    method: "POST",
    path: "/v1/agents/{agent_id}/sessions",
    scope: "run",
    summary: "Start a session on the agent's active version.",
    request: sessions.CreateSessionRequest,
    bodyOptional: true,
    reply: sessions.SessionRecord,
    status: 201,
    idempotent: true,
  },
  listAgentSessions: {
    method: "GET",
    path: "/v1/agents/{agent_id}/sessions",
    scope: "read",
    summary: "List an agent's sessions, newest first; `metadata.<key>=<value>` filters by metadata.",
    query: Type.Object({ ...sessionFilter, limit: Type.Optional(agentSessionsLimit) }),
    reply: listOf("sessions", sessions.SessionRecord),
    status: 200,
  },
  listSessions: {
    method: "GET",
    path: "/v1/sessions",
    scope: "read",
    summary: "List sessions, newest first; `metadata.<key>=<value>` filters by metadata.",
    query: Type.Object({ ...sessionFilter, agent_id: Type.Optional(agentInput) }),
    reply: listOf("sessions", sessions.SessionRecord),
    status: 200,
  },
  listSessionSummaries: {
    method: "GET",
    path: "/v1/session-summaries",
    scope: "read",
    summary:
      "List sessions by their newest message, with first and last words and sums; `metadata.<key>=<value>` filters " +
      `by metadata. One page examines at most ${limits.summariesExamined} messages, and with \`q\` the ` +
      `texts of ${limits.summariesSearched} sessions: with filters it can be short.`,
    query: Type.Object({
      limit: listQuery.limit,
      after: Type.Optional(
        Type.String({
          pattern: "^[0-9a-z]{26}$",
          "x-expected": "`next` of the previous page",
          description: "`next` of the previous page.",
        }),
      ),
      agent_id: Type.Optional(agentInput),
      status: Type.Optional(oneOf(sessionStatuses)),
      started_by: Type.Optional(
        Type.Unsafe<SessionStarter>({
          ...oneOf(sessionStarters),
          description: "`caller`: neither a schedule, a batch nor a trigger.",
        }),
      ),
      q: Type.Optional(
        Type.String({
          minLength: 1,
          maxLength: limits.searchTextChars,
          description:
            "Part of the name, or of the text of the first or newest message or of the newest answer, in any case. " +
            `Messages and answers with more than ${limits.searchedTextBytes} bytes of text are not searched.`,
        }),
      ),
    }),
    reply: Type.Object({
      data: Type.Array(sessions.SessionSummary),
      has_more: Type.Boolean(),
      next: nullable(Type.String()),
    }),
    status: 200,
  },
  getSession: {
    method: "GET",
    path: "/v1/sessions/{session_id}",
    scope: "read",
    summary: "Get a session.",
    reply: sessions.SessionRecord,
    status: 200,
  },
  completeSession: {
    method: "POST",
    path: "/v1/sessions/{session_id}/complete",
    scope: "run",
    summary:
      "Complete a session: it accepts no more messages. With `cancel=1`, also while messages are queued or running.",
    query: cancelQuery,
    reply: sessions.SessionRecord,
    status: 200,
  },
  deleteSession: {
    method: "DELETE",
    path: "/v1/sessions/{session_id}",
    scope: "run",
    summary: "Delete a session and its workspace. With `cancel=1`, also while messages are queued or running.",
    query: cancelQuery,
    reply: Deleted,
    status: 200,
  },
  sendMessage: {
    ...sendMessage,
    path: "/v1/sessions/{session_id}/messages",
    summary:
      "Send a message and wait until it ends, at most an hour. 202 with the record so far after that, or as soon as " +
      "the message waits for an input. `delivery`, `Accept: text/event-stream` and `Prefer: respond-async` choose " +
      "another way.",
    mayStream: true,
    status: 200,
    alsoStatus: [202],
  },
  sendMessageSync: {
    ...sendMessage,
    path: "/v1/sessions/{session_id}/messages/sync",
    summary:
      "Send a message and wait until it ends, at most an hour. 202 with the record so far after that, or as soon as " +
      "the message waits for an input.",
    status: 200,
    alsoStatus: [202],
  },
  sendMessageAsync: {
    ...sendMessage,
    path: "/v1/sessions/{session_id}/messages/async",
    summary: "Send a message and return immediately.",
    status: 202,
  },
  sendSessionEvent: {
    ...sendEvent,
    path: "/v1/sessions/{session_id}/events",
    summary: "Send a message in the form of the hosted service's clients, and return immediately.",
    request: sent.SendSessionEventRequest,
  },
  sendAgentMessage: {
    ...sendEvent,
    path: "/v1/agents/{agent_id}/messages",
    summary: "Start a session with its first message and return immediately. If one is refused, neither is created.",
    request: sent.SendAgentMessageRequest,
  },
  listMessages: {
    method: "GET",
    path: "/v1/sessions/{session_id}/messages",
    scope: "read",
    summary: "List a session's messages, oldest first.",
    query: Type.Object(listQuery),
    reply: listOf("messages", messages.MessageRecord),
    status: 200,
  },
  getMessage: {
    method: "GET",
    path: "/v1/messages/{message_id}",
    scope: "read",
    summary: "Get a message.",
    query: Type.Object({ include: messages.includeQuery }),
    reply: messages.MessageRecord,
    status: 200,
  },
  cancelMessage: {
    method: "POST",
    path: "/v1/messages/{message_id}/cancel",
    scope: "run",
    summary: "Cancel a message: immediately while it is queued, otherwise as soon as its turn stops.",
    reply: messages.MessageRecord,
    status: 200,
  },
  retryMessage: {
    method: "POST",
    path: "/v1/messages/{message_id}/retry",
    scope: "run",
    summary:
      "Send a failed message again: as the session's newest message, or in a fork from before it, which can use " +
      "another version.",
    request: messages.RetryMessageRequest,
    bodyOptional: true,
    reply: messages.MessageRecord,
    status: 202,
    countsAs: "messages",
    idempotent: true,
  },
  answerInput: {
    method: "POST",
    path: "/v1/messages/{message_id}/inputs",
    scope: "run",
    summary: "Answer an input that a message waits for; `key` names the input. Its turn continues.",
    request: messages.AnswerInputRequest,
    reply: messages.MessageRecord,
    status: 202,
    idempotent: true,
  },
  getMessageFiles: {
    method: "GET",
    path: "/v1/messages/{message_id}/files",
    scope: "read",
    summary: "Get the files that the turn changed.",
    reply: messages.MessageFiles,
    status: 200,
  },
  getMessageLogs: {
    method: "GET",
    path: "/v1/messages/{message_id}/logs",
    scope: "read",
    summary: "Get what each attempt wrote to stdout and stderr.",
    query: Type.Object({
      attempt: Type.Optional(integerText(1, 1_000_000, "Only this attempt.")),
      timestamps: Type.Optional(
        Type.Unsafe<string>({
          ...oneOf(["0", "1", "true", "false"]),
          description: "Put the time at which the platform stored a line before the line.",
        }),
      ),
    }),
    replyContent: "text/plain",
    status: 200,
  },
  listEvents: {
    method: "GET",
    path: "/v1/sessions/{session_id}/events",
    scope: "read",
    summary: "List a session's events, oldest first.",
    query: Type.Object({ ...listQuery, after_seq: Type.Optional(sequenceNumber) }),
    reply: listOf("events", EventRecord),
    status: 200,
  },
} as const satisfies Record<string, Route>;
