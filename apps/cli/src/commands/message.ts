// `dari message …`: shows, cancels and replays messages, answers inputs, and retries failed messages.

import type { IncludedPart, MessageRecord, ModelRequestRecord, ToolCall } from "@dari/contract";
import type { Command } from "commander";
import { createContext, type Io } from "../context.ts";
import { formatDollars } from "../output.ts";
import { limitOption } from "../options.ts";
import { showRows } from "../show-rows.ts";
import { addAnswerCommand, renderWaiting } from "./answer.ts";
import { addMessageHistoryCommands } from "./history.ts";
import { addReplayCommand } from "./replay.ts";
import { addRetryCommand } from "./retry.ts";

export function addMessageCommands(program: Command, io: Io): void {
  const message = program.command("message").description("show, cancel, answer, retry and replay messages");
  message
    .command("get <message>")
    .description("show a message and its answer")
    .action(async (id: string, _options: unknown, command: Command) => {
      const { output, client, signal } = createContext(io, command);
      const record = await (await client()).getMessage(id, {}, { signal });
      output.result(record, () => renderMessage(record));
    });
  message
    .command("cancel <message>")
    .description("cancel a message that is queued, running or waiting for an input")
    .action(async (id: string, _options: unknown, command: Command) => {
      const { output, client, signal } = createContext(io, command);
      const record = await (await client()).cancelMessage(id, { signal });
      output.result(record, () => `${record.id} ${record.status}`);
    });
  addAnswerCommand(message, io);
  addRetryCommand(message, io);
  addReplayCommand(message, io);
  addMessageHistoryCommands(message, io);
  addToolCallCommand(message, io);
  addModelRequestsCommand(message, io);
  message
    .command("logs <message>")
    .description("show what the agent wrote to stdout and stderr")
    .action(async (id: string, _options: unknown, command: Command) => {
      const { output, client, signal } = createContext(io, command);
      const logs = await (await client()).getMessageLogs(id, {}, { signal });
      output.result({ message_id: id, logs }, () => logs);
    });
}

function addToolCallCommand(message: Command, io: Io): void {
  message
    .command("tool-call <message> <call>")
    .description("show a tool call with its whole arguments and result")
    .option("--attempt <number>", "only this attempt (default: the last one)")
    .action(async (id: string, callId: string, { attempt }: { attempt?: string }, command: Command) => {
      const { output, client, signal } = createContext(io, command);
      const query = attempt === undefined ? {} : { attempt: Number(attempt) };
      const call = await (await client()).getToolCall(id, callId, query, { signal });
      output.result(call, () => renderToolCall(call));
    });
}

function addModelRequestsCommand(message: Command, io: Io): void {
  message
    .command("model-requests <message>")
    .description("list the requests to models that were made with kept credentials, with their tokens and costs")
    .addOption(limitOption())
    .action((id: string, options: { readonly limit: number }, command: Command) =>
      showRows(io, command, {
        load: (api, page, call) => api.listModelRequests(id, page, call),
        limit: options.limit,
        headings: ["MODEL", "STATUS", "INPUT", "CACHED", "OUTPUT", "MS", "COST"],
        cells: modelRequestRow,
      }),
    );
}

function modelRequestRow(request: ModelRequestRecord): string[] {
  const { model, host, status, input_tokens, cached_input_tokens, output_tokens, duration_ms } = request;
  const what = request.requests > 1 ? `${request.requests} more requests` : (model ?? host ?? "");
  return [
    what,
    ...[status, input_tokens, cached_input_tokens, output_tokens, duration_ms].map((one) => `${one ?? ""}`),
    formatCost(request),
  ];
}

function formatCost({ cost_microusd: cost, unpriced }: ModelRequestRecord): string {
  if (cost !== null) return formatDollars(cost);
  return unpriced ? unpricedWords[unpriced] : "";
}

const unpricedWords = { no_price: "no price", no_tokens: "no tokens", sum: "unknown" } as const;

function renderToolCall({ name, kind, server, is_error, duration_ms, ...call }: ToolCall): string {
  const took = duration_ms === null ? "" : ` after ${duration_ms} ms`;
  const status = is_error === null ? "not ended" : `${is_error ? "failed" : "completed"}${took}`;
  return [
    `call      ${call.call_id}`,
    `tool      ${name}${kind === undefined ? "" : ` (${server ?? kind})`}`,
    `status    ${status}`,
    ...(["arguments", "result"] as const).flatMap((field) => renderValue(field, call[field])),
  ].join("\n");
}

function renderValue(field: string, value: ToolCall["result"]): string[] {
  if (value === null) return [];
  const text = typeof value.value === "string" ? value.value : JSON.stringify(value.value, null, 2);
  const note = value.is_cut ? ", of which only the beginning is kept" : "";
  return ["", `${field} (${value.size_bytes.toLocaleString("en")} bytes${note}):`, text];
}

function renderMessage(record: MessageRecord): string {
  return [
    `message   ${record.id}`,
    `session   ${record.session_id}`,
    `status    ${record.status}${record.waiting_reason === null ? "" : ` (waits for: ${record.waiting_reason})`}`,
    `lane      ${record.lane}`,
    `attempt   ${record.attempt} of ${record.max_attempts}`,
    `created   ${record.created_at}`,
    ...renderWaiting(record),
    ...(record.retry_of === undefined ? [] : [`retry of  ${record.retry_of}`]),
    ...(record.merged_into === undefined ? [] : [`merged    into ${record.merged_into}`]),
    ...(record.delivered_in === undefined
      ? []
      : [`steers    ${record.delivered_in}, from event ${record.delivered_after}`]),
    ...(record.completed_at === null ? [] : [`ended     ${record.completed_at}`]),
    ...(record.output?.error === undefined ? [] : [`error     ${errorText(record.output.error)}`]),
    renderOutput(record),
  ].join("\n");
}

function errorText({ code, message }: { readonly code: string; readonly message: string }): string {
  return `${message} (${code})`;
}

export function renderOutputPart(part: IncludedPart): string {
  if (part.type === "text") return part.text;
  return "path" in part ? `[${part.path}]` : `[${part.type} ${part.name}]`;
}

/** Renders the answer of a message, and the files that its turn changed. */
export function renderOutput(record: MessageRecord): string {
  const parts = (record.output?.parts ?? []).map(renderOutputPart);
  const files = record.files_changed.map((file) => `${file.change} ${file.path}`);
  const notes = (record.output?.notes ?? []).map((note) => `note: ${note}`);
  return [...parts, ...notes, ...(files.length > 0 ? ["", ...files] : [])].join("\n");
}
