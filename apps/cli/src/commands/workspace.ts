// `dari session write|remove|archive|export|import`: changes a session's files between its turns, downloads them, or
// moves the whole session to another installation.

import type { Command } from "commander";
import { Readable } from "node:stream";
import { createContext, type Io } from "../context.ts";
import { agentOption } from "../options.ts";
import { saveTo } from "../output.ts";
import { openFile } from "../upload.ts";

export function addWorkspaceCommands(session: Command, io: Io): void {
  session
    .command("write <session> <file> <path>")
    .description("copy a local file into the session's workspace")
    .action(async (id: string, file: string, path: string, _options: unknown, command: Command) => {
      const { output, client, signal } = createContext(io, command);
      const content = await openFile(file);
      const commit = await (await client()).putSessionFile(id, content, { path }, { signal });
      output.result(commit, () => commit.files_changed.map(({ change, path }) => `${change} ${path}`).join("\n"));
    });
  session
    .command("remove <session> <path>")
    .description("delete a file of the session's workspace")
    .option("--recursive", "delete a directory with everything in it")
    .action(async (id: string, path: string, options: { readonly recursive?: boolean }, command: Command) => {
      const { output, client, signal } = createContext(io, command);
      const deleted = await (await client()).deleteSessionFile(id, { path, recursive: options.recursive }, { signal });
      output.result(deleted, () => `deleted ${path}`);
    });
  session
    .command("archive <session> [paths...]")
    .description("save the session's workspace, or these paths of it, as one archive")
    .requiredOption("--output <file>", "file to write: ZIP if its name ends with .zip, else .tar.gz")
    .action(async (id: string, paths: string[], options: { readonly output: string }, command: Command) => {
      const { client, signal } = createContext(io, command);
      const api = await client();
      const read = options.output.endsWith(".zip") ? api.getWorkspaceZip : api.getWorkspaceTarGz;
      const archive = await read(id, { path: paths }, { signal });
      await saveTo(options.output, Readable.from(archive), io);
    });
}

/** Adds the commands that move a whole session to another installation. */
export function addPortableCommands(session: Command, io: Io): void {
  session
    .command("export <session>")
    .description("save a session for another installation: conversation, workspace and version, without secrets")
    .requiredOption("--output <file>", "file to write; - for standard output")
    .action(async (id: string, options: { readonly output: string }, command: Command) => {
      const { client, signal } = createContext(io, command);
      const exported = await (await client()).exportSession(id, { signal });
      await saveTo(options.output, Readable.from(exported), io);
    });
  session
    .command("import <file>")
    .description("start a session from an export; creates an agent if none has the version")
    .addOption(agentOption("agent to use; it must have a version with the same bundle"))
    .action(async (file: string, options: { readonly agentId?: string }, command: Command) => {
      const { output, client, signal } = createContext(io, command);
      const content = await openFile(file);
      const record = await (await client()).importSession(content, { agent_id: options.agentId }, { signal });
      output.result(record, () => record.id);
    });
}
