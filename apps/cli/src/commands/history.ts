// `dari session fork|rollback`, `dari message diff|attempt|promote`: a session's history.

import type { Command } from "commander";
import { Readable } from "node:stream";
import { createContext, type Io } from "../context.ts";
import { rememberLast } from "../last-used.ts";
import { given } from "../options.ts";
import { invalid } from "../exit.ts";
import { saveTo, table } from "../output.ts";

export function addSessionHistoryCommands(session: Command, io: Io): void {
  session
    .command("fork <session>")
    .description("copy a session as it was after a message; show the copy's id")
    .option("--message <id>", "the message (default: the last completed one)")
    .action(async (id: string, options: { readonly message?: string }, command: Command) => {
      const context = createContext(io, command);
      const { output, client, signal } = context;
      const record = await (await client()).forkSession(id, given({ message_id: options.message }), { signal });
      await rememberLast(context, { session: record.id });
      output.result(record, () => record.id);
    });
  session
    .command("rollback <session> <message>")
    .description("return a session to its state after a message; later messages are kept and marked")
    .action(async (id: string, message: string, _options: unknown, command: Command) => {
      const { output, client, signal } = createContext(io, command);
      const record = await (await client()).rollBackSession(id, { message_id: message }, { signal });
      output.result(record, () => `${record.id} is back at ${message}`);
    });
}

export function addMessageHistoryCommands(message: Command, io: Io): void {
  message
    .command("diff <message>")
    .description("show what the turn changed, as a patch for `git apply`")
    .action(async (id: string, _options: unknown, command: Command) => {
      const { output, client, signal } = createContext(io, command);
      const diff = await (await client()).getMessageDiff(id, { signal });
      output.result({ message_id: id, diff }, () => diff);
    });
  message
    .command("attempt <message> <number> [path]")
    .description("list the files of an unsuccessful attempt, or get one")
    .option("--recursive", "list everything below the path")
    .option("--output <file>", "save the file to this path; - for standard output")
    .action(async (id: string, number: string, path: string | undefined, options: AttemptOptions, command: Command) => {
      const { output, client, signal } = createContext(io, command);
      const attempt = parseAttempt(number);
      const api = await client();
      if (options.output !== undefined) {
        if (path === undefined) throw invalid("--output needs the path of a file");
        await saveTo(
          options.output,
          Readable.from(await api.getAttemptFileContent(id, attempt, { path }, { signal })),
          io,
        );
        return;
      }
      const query = { ...given({ path }), recursive: options.recursive ?? false };
      const listing = await api.listAttemptFiles(id, attempt, query, { signal });
      output.result(listing, () => {
        const rows = listing.entries.map((entry) => [entry.path, entry.type, String(entry.size_bytes ?? "")]);
        return table(["PATH", "TYPE", "BYTES"], rows);
      });
    });
  message
    .command("promote <message> <number>")
    .description("make the files of an unsuccessful attempt the session's workspace")
    .action(async (id: string, number: string, _options: unknown, command: Command) => {
      const { output, client, signal } = createContext(io, command);
      const commit = await (await client()).promoteAttempt(id, parseAttempt(number), { signal });
      output.result(commit, () => commit.files_changed.map((file) => `${file.change} ${file.path}`).join("\n"));
    });
}

interface AttemptOptions {
  readonly recursive?: boolean;
  readonly output?: string;
}

function parseAttempt(number: string): number {
  if (!/^[1-9][0-9]{0,6}$/.test(number)) throw invalid(`expected the number of an attempt, not ${number}`);
  return Number(number);
}
