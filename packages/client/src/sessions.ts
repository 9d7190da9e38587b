// Calls about sessions, messages and events, and waiting for a message's end.

import type { MessageRecord, SendMessageRequest, SessionStarter, SessionStatus } from "@dari/contract";
import { createDeriver } from "./derive-methods.ts";
import type { PageQuery } from "./pages.ts";
import { pause } from "./pause.ts";
import type { CallOptions, Query, Transport } from "./transport.ts";

/** A message without its delivery, which follows from the call's name. */
export type MessageContent = Omit<SendMessageRequest, "delivery">;

export interface SessionFilter extends PageQuery {
  readonly agentId?: string;
  /** The exact name. */
  readonly name?: string;
  readonly status?: SessionStatus;
  readonly metadata?: Readonly<Record<string, string>>;
}

export interface SummaryQuery extends PageQuery {
  readonly agentId?: string;
  readonly status?: SessionStatus;
  /** `caller`: neither a schedule nor a batch. */
  readonly startedBy?: SessionStarter;
  /** Part of the name, the first or newest message, or the newest answer. */
  readonly text?: string;
  readonly metadata?: Readonly<Record<string, string>>;
}

export interface WaitOptions extends CallOptions {
  /** Called with every record that is read while waiting. */
  readonly onRecord?: (record: MessageRecord) => void;
}

/** The first and the longest pause between two reads of a message, in milliseconds. Pauses double. */
const firstLookMs = 50;
const lastLookMs = 1_000;

export function sessionCalls(transport: Transport) {
  const { call } = transport;
  const { derived, derivedAll } = createDeriver(transport);
  const getMessage = derived("getMessage");
  const sendMessageAsync = (sessionId: string, body: MessageContent, options?: CallOptions) =>
    call("sendMessageAsync", { path: { session_id: sessionId }, body, options });
  const waitForMessage = (record: MessageRecord, options: WaitOptions = {}) => waitForEnd(record, getMessage, options);

  return {
    ...derivedAll("createSession", "getSession"),

    listSessions: (filter: SessionFilter = {}, options?: CallOptions) =>
      call("listSessions", { path: {}, query: queryOf(filter), options }),

    /** Sessions by their newest message, for lists that people read. With filters a page can be short. */
    listSessionSummaries: ({ startedBy, text, ...filter }: SummaryQuery = {}, options?: CallOptions) =>
      call("listSessionSummaries", {
        path: {},
        query: { ...queryOf(filter), started_by: startedBy, q: text },
        options,
      }),

    /** Like `listSessions` for this agent, but fails if the agent does not exist. */
    listAgentSessions: (agentId: string, filter: Omit<SessionFilter, "agentId"> = {}, options?: CallOptions) =>
      call("listAgentSessions", { path: { agent_id: agentId }, query: queryOf(filter), options }),

    completeSession: (id: string, query: { cancel?: boolean } = {}, options?: CallOptions) =>
      call("completeSession", { path: { session_id: id }, query, options }),

    deleteSession: (id: string, query: { cancel?: boolean } = {}, options?: CallOptions) =>
      call("deleteSession", { path: { session_id: id }, query, options }),

    /** Sends a message and returns its queued record. */
    sendMessageAsync,

    /** Sends a message as an event, as clients of the hosted service do. */
    sendSessionEvent: derived("sendSessionEvent"),

    /** Starts a session with its first message; creates both or neither. */
    sendAgentMessage: derived("sendAgentMessage"),

    /**
     * Sends a message and returns its terminal record. It sends asynchronously and then polls the record, because fetch
     * gives up on a reply whose headers take 300 seconds, and a turn may take hours.
     */
    async sendMessage(sessionId: string, body: MessageContent, options: WaitOptions = {}): Promise<MessageRecord> {
      return waitForMessage(await sendMessageAsync(sessionId, body, options), options);
    },

    /** Waits for a message's end; of a merged message, for the end of the one it was merged into. */
    waitForMessage,

    getMessage,

    ...messageCalls(transport),
  };
}

function messageCalls(transport: Transport) {
  const { call, open } = transport;
  const { derived, derivedAll } = createDeriver(transport);
  return {
    ...derivedAll("listMessages", "cancelMessage"),

    /**
     * Retries a failed message, at the end of its session or in a fork, and returns the new message's queued record.
     */
    retryMessage: derived("retryMessage"),

    /** The conversation as a timeline. */
    getTranscript: derived("getTranscript"),

    messageFiles: (id: string, options?: CallOptions) => call("getMessageFiles", { path: { message_id: id }, options }),

    /** What the attempts wrote to stdout and stderr. */
    async messageLogs(
      id: string,
      { timestamps, ...options }: CallOptions & { readonly timestamps?: boolean } = {},
    ): Promise<string> {
      return (await open("getMessageLogs", { path: { message_id: id }, query: { timestamps }, options })).text();
    },

    listEvents: (
      sessionId: string,
      { afterSequenceNumber, ...page }: PageQuery & { readonly afterSequenceNumber?: number } = {},
      options?: CallOptions,
    ) => {
      const query = { ...page, after_seq: afterSequenceNumber };
      return call("listEvents", { path: { session_id: sessionId }, query, options });
    },
  };
}

function queryOf({ agentId, metadata = {}, ...rest }: SessionFilter): Query {
  const byMetadata = Object.entries(metadata).map(([name, value]) => [`metadata.${name}`, value]);
  return { ...rest, agent_id: agentId, ...Object.fromEntries(byMetadata) };
}

async function waitForEnd(
  record: MessageRecord,
  getMessage: (id: string, options: CallOptions) => Promise<MessageRecord>,
  { onRecord, ...options }: WaitOptions,
): Promise<MessageRecord> {
  let current = record;
  for (let lookMs = firstLookMs; ; lookMs = Math.min(lastLookMs, lookMs * 2)) {
    onRecord?.(current);
    if (current.merged_into !== undefined) {
      current = await getMessage(current.merged_into, options);
    } else if (isTerminal(current)) {
      return current;
    } else {
      await pause(lookMs, options.signal);
      current = await getMessage(current.id, options);
    }
  }
}

/** True if a message's status can no longer change. */
export function isTerminal(record: MessageRecord): boolean {
  return record.status === "completed" || record.status === "failed" || record.status === "cancelled";
}
