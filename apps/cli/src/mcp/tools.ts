// The tools of the MCP server: each tool's name, arguments and action.

import { eachRow, isTerminal, type Client } from "@dari/client";
import type { MessageRecord } from "@dari/contract";
import { lanes, limits, onBusyChoices } from "@dari/domain";
import { setTimeout as pause } from "node:timers/promises";
import { renderOutputPart } from "../commands/message.ts";
import { collectRows } from "../options.ts";
import { readText } from "./read-text.ts";

/** A JSON Schema of an object, in MCP's form. */
export interface InputSchema {
  readonly type: "object";
  readonly properties: Readonly<Record<string, object>>;
  readonly required?: readonly string[];
  readonly additionalProperties: false;
}

export interface ToolCall {
  readonly client: Client;
  /** Valid by the tool's schema. */
  readonly input: Readonly<Record<string, unknown>>;
  /** Aborts when the model's program cancels the call. What was sent continues. */
  readonly signal: AbortSignal;
  /** Reports that the call is still in progress. */
  readonly progress: (text: string) => Promise<void>;
}

export interface Tool {
  readonly name: string;
  readonly description: string;
  readonly inputSchema: InputSchema;
  readonly readOnly: boolean;
  /** Returns what the model gets: JSON, or unchanged text. */
  run(call: ToolCall): Promise<object | string>;
}

const rowsMax = 200;
const waitSecondsDefault = 45;
const waitSecondsMax = 3_600;
/** How often a message is read while a call waits for it, in milliseconds. */
const lookEveryMs = 500;

const text = (description: string, maxLength = 512) => ({ type: "string", minLength: 1, maxLength, description });
const limit = { type: "integer", minimum: 1, maximum: rowsMax, description: "Maximum number of rows (default: 50)." };
const sessionId = text("The session's id: sess_…");
const wait = {
  type: "integer",
  minimum: 0,
  maximum: waitSecondsMax,
  description: `Seconds to wait for the message's end (default: ${waitSecondsDefault}). The message then continues.`,
};

function input(properties: InputSchema["properties"], required: readonly string[] = []): InputSchema {
  return { type: "object", properties, required, additionalProperties: false };
}

const rows = (call: ToolCall): number => (call.input["limit"] as number | undefined) ?? 50;
const given = (call: ToolCall, name: string): string => String(call.input[name]);

function optional<Name extends string>(call: ToolCall, name: Name, as: string = name): Record<string, string> {
  const value = call.input[name];
  return value === undefined ? {} : { [as]: String(value) };
}

export const tools: readonly Tool[] = [
  {
    name: "list_agents",
    description: "List the agents of the organization, newest first.",
    inputSchema: input({ limit }),
    readOnly: true,
    async run(call) {
      const load = eachRow((page) => call.client.listAgents(page, { signal: call.signal }));
      const agents = await collectRows(load, rows(call));
      return { agents: agents.map(({ id, name, active_version_id }) => ({ id, name, active_version_id })) };
    },
  },
  {
    name: "list_sessions",
    description: "List sessions, newest first: conversations with agents, each with its own workspace.",
    inputSchema: input({ agent_id: text("Only sessions of this agent: its id or name."), limit }),
    readOnly: true,
    async run(call) {
      const filter = optional(call, "agent_id");
      const load = eachRow((page) => call.client.listSessions({ ...filter, ...page }, { signal: call.signal }));
      return { sessions: await collectRows(load, rows(call)) };
    },
  },
  {
    name: "create_session",
    description: "Start a session with an agent. Messages of one session share a conversation and a workspace.",
    inputSchema: input({ agent_id: text("The agent's id or name."), name: text("A name for people.", 200) }, [
      "agent_id",
    ]),
    readOnly: false,
    run: (call) => call.client.createSession(given(call, "agent_id"), optional(call, "name"), { signal: call.signal }),
  },
  {
    name: "send_message",
    description: "Send a text to a session's agent and wait for its answer. If it takes longer, use get_message.",
    inputSchema: input(
      {
        session_id: sessionId,
        text: text("Text for the agent.", 1_000_000),
        on_busy: { type: "string", enum: onBusyChoices, description: "What to do while another message runs." },
        lane: {
          type: "string",
          enum: lanes,
          description: "`background` for work that no one waits for: interactive messages (the default) go first.",
        },
        wait_seconds: wait,
      },
      ["session_id", "text"],
    ),
    readOnly: false,
    async run(call) {
      const choices = { ...optional(call, "on_busy"), ...optional(call, "lane") };
      const body = { parts: [{ type: "text", text: given(call, "text") } as const], ...choices };
      const sent = await call.client.sendMessageAsync(given(call, "session_id"), body, { signal: call.signal });
      return describeMessage(await awaitEnd(call, sent));
    },
  },
  {
    name: "get_message",
    description: "Get a message and its answer; waits for its end.",
    inputSchema: input({ message_id: text("The message's id: msg_…"), wait_seconds: wait }, ["message_id"]),
    readOnly: true,
    async run(call) {
      const record = await call.client.getMessage(given(call, "message_id"), {}, { signal: call.signal });
      return describeMessage(await awaitEnd(call, record));
    },
  },
  {
    name: "answer_message",
    description: "Answer a message's input, once the person you work for has decided, and wait for the message's end.",
    inputSchema: input(
      {
        message_id: text("The message's id: msg_…"),
        key: text("The key of the input that waits.", limits.inputKeyChars),
        value: { description: "JSON that satisfies the input's schema." },
        wait_seconds: wait,
      },
      ["message_id", "key", "value"],
    ),
    readOnly: false,
    async run(call) {
      const body = { key: given(call, "key"), value: call.input["value"] };
      const record = await call.client.answerInput(given(call, "message_id"), body, { signal: call.signal });
      return describeMessage(await awaitEnd(call, record));
    },
  },
  {
    name: "list_messages",
    description: "List a session's messages and their answers, oldest first.",
    inputSchema: input({ session_id: sessionId, limit }, ["session_id"]),
    readOnly: true,
    async run(call) {
      const id = given(call, "session_id");
      const load = eachRow((page) => call.client.listMessages(id, page, { signal: call.signal }));
      return { messages: (await collectRows(load, rows(call))).map(describeMessage) };
    },
  },
  {
    name: "list_files",
    description: "List a directory of a session's workspace.",
    inputSchema: input({ session_id: sessionId, path: text("Absolute path (default: /).", 4_096) }, ["session_id"]),
    readOnly: true,
    run: (call) =>
      call.client.listSessionFiles(given(call, "session_id"), optional(call, "path"), { signal: call.signal }),
  },
  {
    name: "read_file",
    description: "Read a text file of a session's workspace.",
    inputSchema: input({ session_id: sessionId, path: text("Absolute: /output/report.md", 4_096) }, [
      "session_id",
      "path",
    ]),
    readOnly: true,
    async run(call) {
      const path = given(call, "path");
      return readText(
        await call.client.getSessionFileContent(given(call, "session_id"), { path }, { signal: call.signal }),
        path,
      );
    },
  },
];

/** Returns the message once it has ended or waits for an input, or as it is when the time is over. */
async function awaitEnd(call: ToolCall, sent: MessageRecord): Promise<MessageRecord> {
  const seconds = (call.input["wait_seconds"] as number | undefined) ?? waitSecondsDefault;
  const until = performance.now() + seconds * 1_000;
  let record = sent;
  for (;;) {
    const into = record.merged_into ?? (isTerminal(record) ? record.delivered_in : undefined);
    const next = into ?? (isTerminal(record) || isWaiting(record) ? undefined : record.id);
    if (next === undefined || performance.now() >= until) return record;
    if (into === undefined) {
      await call.progress(`${record.id} is ${record.status}`);
      await pause(lookEveryMs, undefined, { signal: call.signal });
    }
    record = await call.client.getMessage(next, {}, { signal: call.signal });
  }
}

function isWaiting({ status }: MessageRecord): boolean {
  return status === "waiting_for_input";
}

/** Returns what a model needs of a message: the text, how it ended, and the changed files. */
function describeMessage(record: MessageRecord): object {
  const { id, session_id, status, waiting_reason, parts, output, files_changed, inputs = [] } = record;
  const waiting = inputs.find((one) => one.status === "waiting");
  return {
    id,
    session_id,
    status,
    ...(waiting_reason === null ? {} : { waiting_reason }),
    ...(waiting === undefined ? {} : { waits_for: waiting }),
    asked: parts.map((part) => (part.type === "text" ? part.text : `[${part.path ?? part.file_id}]`)).join("\n"),
    answer: (output?.parts ?? []).map(renderOutputPart).join("\n"),
    ...(output?.error === undefined ? {} : { error: output.error }),
    ...(output?.notes === undefined ? {} : { notes: output.notes }),
    files_changed: files_changed.map(({ change, path }) => `${change} ${path}`),
  };
}
