// `dari files …`: uploaded files.

import { eachRow } from "@dari/client";
import type { FileRecord } from "@dari/contract";
import type { Command } from "commander";
import { createContext, type Io } from "../context.ts";
import { limitOption, take } from "../options.ts";
import { table } from "../output.ts";
import { uploadPath } from "../upload.ts";

export function addFileCommands(program: Command, io: Io): void {
  const files = program.command("files").description("uploaded files");
  files
    .command("upload <path...>")
    .description("upload files, to name them in messages")
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
    .action(async (options: { readonly limit: number }, command: Command) => {
      const { output, client, signal } = createContext(io, command);
      const api = await client();
      const records = await take(
        eachRow((page) => api.listFiles(page, { signal })),
        options.limit,
      );
      output.result(records, () => {
        const rows = records.map((row) => [row.id, String(row.size_bytes), row.content_type, row.filename]);
        return table(["FILE", "BYTES", "TYPE", "NAME"], rows);
      });
    });
}
