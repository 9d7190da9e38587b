// `dari files …`: uploaded files.

import type { FileRecord } from "@dari/contract";
import type { Command } from "commander";
import { Readable } from "node:stream";
import { createContext, type Io } from "../context.ts";
import { showRows } from "../show-rows.ts";
import { limitOption } from "../options.ts";
import { saveTo, table } from "../output.ts";
import { uploadPath } from "../upload.ts";

export function addFileCommands(program: Command, io: Io): void {
  const files = program.command("files").description("manage uploaded files");
  files
    .command("upload <path...>")
    .description("upload files for use in messages")
    .action(async (paths: string[], _options: unknown, command: Command) => {
      const { output, client, signal } = createContext(io, command);
      const api = await client();
      const records: FileRecord[] = [];
      for (const path of paths) records.push(await uploadPath(api, path, signal));
      output.result(records, () => records.map((record) => `${record.id}  ${record.filename}`).join("\n"));
    });
  files
    .command("list")
    .description("list uploaded files, newest first")
    .addOption(limitOption())
    .action((options: { readonly limit: number }, command: Command) =>
      showRows(io, command, {
        load: (api, page, call) => api.listFiles(page, call),
        limit: options.limit,
        headings: ["FILE", "BYTES", "TYPE", "NAME"],
        cells: fileRow,
      }),
    );
  files
    .command("get <file>")
    .description("show a file's record, or save its content")
    .option("--output <path>", "save the content to this file; - for standard output")
    .action(async (id: string, options: { readonly output?: string }, command: Command) => {
      const { output, client, signal } = createContext(io, command);
      const api = await client();
      if (options.output !== undefined) {
        await saveTo(options.output, Readable.from(await api.getFileContent(id, { signal })), io);
        return;
      }
      const record = await api.getFile(id, { signal });
      output.result(record, () => {
        return table(["FILE", "BYTES", "TYPE", "NAME", "SHA256"], [[...fileRow(record), record.sha256]]);
      });
    });
  files
    .command("delete <file>")
    .description("delete an uploaded file; copies in workspaces are kept")
    .action(async (id: string, _options: unknown, command: Command) => {
      const { output, client, signal } = createContext(io, command);
      const deleted = await (await client()).deleteFile(id, { signal });
      output.result(deleted, () => `deleted ${id}`);
    });
}

function fileRow(record: FileRecord): string[] {
  return [record.id, String(record.size_bytes), record.content_type, record.filename];
}
