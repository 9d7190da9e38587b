// The tools of the MCP server: each tool's name, arguments and action.

import type { MessageRecord } from "@dari/contract";
import { lanes, limits, onBusyChoices } from "@dari/domain";
import type { Rows, ToolCalls } from "./calls.ts";
import { describeMessage } from "./describe-message.ts";
import { readText } from "./read-text.ts";

/** A JSON Schema of an object, in MCP's form. */
export interface InputSchema {
  readonly type: "object";
  readonly properties: Readonly<Record<string, object>>;
  readonly required: readonly string[];
  readonly additionalProperties: false;
}

export interface ToolCall {
  readonly calls: ToolCalls;
  /** Valid by the tool's schema. */
  readonly input: Readonly<Record<string, unknown>>;
  /** Aborts when the model's program cancels the call. What was sent continues. */
  readonly signal: AbortSignal;
}

interface ToolFields {
  readonly name: string;
  readonly description: string;
  readonly inputSchema: InputSchema;
  readonly readOnly: boolean;
}

interface DataTool extends ToolFields {
  /** Returns what the model gets: JSON, or unchanged text. */
  run(call: ToolCall): Promise<object | string>;
}

/** A tool whose result is a message. Its call waits `wait_seconds` for the message's end. */
export interface MessageTool extends ToolFields {
  start(call: ToolCall): Promise<MessageRecord>;
}

export type Tool = DataTool | MessageTool;

const rowsMax = 200;
const waitSecondsDefault = 45;
const waitSecondsMax = 3_600;

export const text = (description: string, maxLength = 512) => ({
  type: "string",
  minLength: 1,
  maxLength,
  description,
});
export const message = text("Text for the agent.", 1_000_000);
export const wait = {
  type: "integer",
  minimum: 0,
  maximum: waitSecondsMax,
  description: `Seconds to wait for the message's end (default: ${waitSecondsDefault}). The message then continues.`,
};
const limit = { type: "integer", minimum: 1, maximum: rowsMax, description: "Maximum number of rows (default: 50)." };
const sessionId = text("The session's id: sess_…");
const messageId = text("The message's id: msg_…");

export function input(properties: InputSchema["properties"], required: readonly string[] = []): InputSchema {
  return { type: "object", properties, required, additionalProperties: false };
}

export const textArgument = (call: ToolCall, name: string): string => String(call.input[name]);
const rows = (call: ToolCall): { limit: number } => ({ limit: (call.input["limit"] as number | undefined) ?? 50 });
const optionsOf = ({ signal }: ToolCall) => ({ signal });

export function waitMsOf({ input: { wait_seconds: seconds = waitSecondsDefault } }: ToolCall): number {
  return Number(seconds) * 1_000;
}

/** Tells the model that the list goes on. */
function moreOf({ next }: Rows<unknown>): { has_more?: true } {
  return next === null ? {} : { has_more: true };
}

function optional<Name extends string>(call: ToolCall, name: Name): { [Key in Name]?: string } {
  const value = call.input[name];
  return value === undefined ? {} : ({ [name]: String(value) } as { [Key in Name]: string });
}

export const getMessageTool: MessageTool = {
  name: "get_message",
  description: "Get a message and its answer; waits for its end.",
  inputSchema: input({ message_id: messageId, wait_seconds: wait }, ["message_id"]),
  readOnly: true,
  start: (call) => call.calls.getMessage(textArgument(call, "message_id"), {}, optionsOf(call)),
};

export const answerMessageTool: MessageTool = {
  name: "answer_message",
  description: "Answer a message's input, once the person you work for has decided, and wait for the message's end.",
  inputSchema: input(
    {
      message_id: messageId,
      key: text("The key of the input that waits.", limits.inputKeyChars),
      value: { description: "JSON that satisfies the input's schema." },
      wait_seconds: wait,
    },
    ["message_id", "key", "value"],
  ),
  readOnly: false,
  start(call) {
    const body = { key: textArgument(call, "key"), value: call.input["value"] };
    return call.calls.answerInput(textArgument(call, "message_id"), body, optionsOf(call));
  },
};

export const listMessagesTool: Tool = {
  name: "list_messages",
  description: "List a session's messages and their answers, oldest first.",
  inputSchema: input({ session_id: sessionId, limit }, ["session_id"]),
  readOnly: true,
  async run(call) {
    const page = await call.calls.listMessages(textArgument(call, "session_id"), rows(call), optionsOf(call));
    return { messages: page.data.map(describeMessage), ...moreOf(page) };
  },
};

export const tools: readonly Tool[] = [
  {
    name: "list_agents",
    description: "List the agents of the organization, newest first, and what each is for.",
    inputSchema: input({ limit }),
    readOnly: true,
    async run(call) {
      const page = await call.calls.listAgents(rows(call), optionsOf(call));
      const agents = page.data.map(({ id, name, description, active_version_id }) => {
        return { id, name, ...(description === null ? {} : { description }), active_version_id };
      });
      return { agents, ...moreOf(page) };
    },
  },
  {
    name: "list_sessions",
    description: "List sessions, newest first: conversations with agents, each with its own workspace.",
    inputSchema: input({ agent_id: text("Only sessions of this agent: its id or name."), limit }),
    readOnly: true,
    async run(call) {
      const page = await call.calls.listSessions({ ...optional(call, "agent_id"), ...rows(call) }, optionsOf(call));
      return { sessions: page.data, ...moreOf(page) };
    },
  },
  {
    name: "create_session",
    description: "Start a session with an agent. Messages of one session share a conversation and a workspace.",
    inputSchema: input({ agent_id: text("The agent's id or name."), name: text("A name for people.", 200) }, [
      "agent_id",
    ]),
    readOnly: false,
    run: (call) => call.calls.createSession(textArgument(call, "agent_id"), optional(call, "name"), optionsOf(call)),
  },
  {
    name: "send_message",
    description: "Send a text to a session's agent and wait for its answer. If it takes longer, use get_message.",
    inputSchema: input(
      {
        session_id: sessionId,
        text: message,
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
    start(call) {
      const choices = { ...optional(call, "on_busy"), ...optional(call, "lane") } as object;
      const body = { parts: [{ type: "text", text: textArgument(call, "text") } as const], ...choices };
      return call.calls.sendMessageAsync(textArgument(call, "session_id"), body, optionsOf(call));
    },
  },
  getMessageTool,
  answerMessageTool,
  listMessagesTool,
  {
    name: "list_files",
    description: "List a directory of a session's workspace.",
    inputSchema: input({ session_id: sessionId, path: text("Absolute path (default: /).", 4_096) }, ["session_id"]),
    readOnly: true,
    run: (call) =>
      call.calls.listSessionFiles(textArgument(call, "session_id"), optional(call, "path"), optionsOf(call)),
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
      const path = textArgument(call, "path");
      return readText(
        await call.calls.getSessionFileContent(textArgument(call, "session_id"), { path }, optionsOf(call)),
        path,
      );
    },
  },
];
