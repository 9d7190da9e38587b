// `dari session messages|transcript|complete|delete`: a session's conversation and its end.

import { eachRow } from "@dari/client";
import type { MessagePart, MessageRecord, TranscriptEntry } from "@dari/contract";
import type { Command } from "commander";
import { createContext, type Io } from "../context.ts";
import { showRows } from "../show-rows.ts";
import { renderOutputPart } from "./message.ts";
import { limitOption, collectRows } from "../options.ts";

interface EndOptions {
  readonly cancel?: boolean;
}

export function addSessionRecordCommands(session: Command, io: Io): void {
  session
    .command("messages <session>")
    .description("list a session's messages, oldest first")
    .addOption(limitOption())
    .action((id: string, options: { readonly limit: number }, command: Command) =>
      showRows(io, command, {
        load: (api, page, call) => api.listMessages(id, page, call),
        limit: options.limit,
        headings: ["MESSAGE", "STATUS", "CREATED", "TEXT"],
        cells: messageRow,
      }),
    );
  session
    .command("transcript <session>")
    .description("show the conversation as a timeline")
    .addOption(limitOption())
    .action(async (id: string, options: { readonly limit: number }, command: Command) => {
      const { output, client, signal } = createContext(io, command);
      const api = await client();
      const load = eachRow((page) => api.getTranscript(id, page, { signal }));
      const entries = await collectRows(load, options.limit);
      output.result(entries, () => entries.map(renderEntry).join("\n"));
    });
  session
    .command("complete <session>")
    .description("complete a session; its record and files are kept")
    .option("--cancel", "cancel messages that are queued or running")
    .action(async (id: string, options: EndOptions, command: Command) => {
      const { output, client, signal } = createContext(io, command);
      const record = await (await client()).completeSession(id, { ...options }, { signal });
      output.result(record, () => `${record.id} ${record.status}`);
    });
  session
    .command("delete <session>")
    .description("delete a session with its messages and files")
    .option("--cancel", "cancel messages that are queued or running")
    .action(async (id: string, options: EndOptions, command: Command) => {
      const { output, client, signal } = createContext(io, command);
      const deleted = await (await client()).deleteSession(id, { ...options }, { signal });
      output.result(deleted, () => `deleted ${id}`);
    });
}

/** Returns the table row of a message. Its last cell is the first line of the text, at most 60 characters. */
function messageRow(record: MessageRecord): string[] {
  const [line = ""] = record.parts.map(renderMessagePart).join(" ").split("\n");
  return [record.id, record.status, record.created_at, line.length > 60 ? `${line.slice(0, 59)}…` : line];
}

function renderEntry(entry: TranscriptEntry): string {
  switch (entry.kind) {
    case "user":
      return `> ${entry.parts.map(renderMessagePart).join(" ")}`;
    case "assistant":
      return entry.parts.map(renderOutputPart).join("\n");
    case "files":
      return entry.files_changed.map((file) => `  ${file.change} ${file.path}`).join("\n");
    case "failure":
      return `! ${entry.status}: ${entry.error.message} (${entry.error.code})`;
    case "event":
      return `  ${entry.type} ${JSON.stringify(entry.data)}`;
  }
}

function renderMessagePart(part: MessagePart): string {
  return part.type === "text" ? part.text : `[${part.path ?? part.file_id}]`;
}
