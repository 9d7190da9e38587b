// `dari run`: one message to an agent, in a session of its own; shows the answer and saves the files.

import type { Client } from "@dari/client";
import type { MessageRecord } from "@dari/contract";
import type { Command } from "commander";
import { mkdir } from "node:fs/promises";
import { dirname, join, sep } from "node:path";
import { Readable } from "node:stream";
import { text as readAll } from "node:stream/consumers";
import { sessionAddress } from "../console-address.ts";
import { createContext, type Io } from "../context.ts";
import { invalid } from "../exit.ts";
import { rememberLast } from "../last-used.ts";
import { agentOption, collectOption, given } from "../options.ts";
import { saveTo } from "../output.ts";
import { chooseAgent } from "./chat.ts";
import { failUnlessCompleted, showTurn, uploadParts } from "./send.ts";

interface RunOptions {
  readonly agentId?: string;
  readonly versionId?: string;
  readonly name?: string;
  readonly file: readonly string[];
  readonly image: readonly string[];
  readonly files?: string;
  readonly stream?: boolean;
}

export function addRunCommand(program: Command, io: Io): void {
  program
    .command("run <prompt>")
    .description("send one message in a new session and show the answer; -: read the prompt from standard input")
    .addOption(agentOption("the agent (default: the one this directory was deployed as)"))
    .option("--version-id <id>", "a ready version (default: the active one)")
    .option("--name <name>", "a name for the session")
    .option("--file <path>", "attach a file; repeatable", collectOption, [])
    .option("--image <path>", "attach an image; repeatable", collectOption, [])
    .option("--files <directory>", "save the files that the turn created or changed in this directory")
    .option("--stream", "show the answer and the agent's output as they arrive; default on a terminal")
    .option("--no-stream", "show the answer when it is complete")
    .action(async (prompt: string, options: RunOptions, command: Command) => {
      const context = createContext(io, command);
      const { output, signal } = context;
      const text = prompt === "-" ? (await readAll(io.stdin)).trimEnd() : prompt;
      if (text.trim() === "") throw invalid("the prompt is empty");
      const agent = await chooseAgent(context, options.agentId);
      const api = await context.client();
      const parts = [{ type: "text", text } as const, ...(await uploadParts(api, options, signal))];
      const create = given({ version_id: options.versionId, name: options.name });
      const session = await api.createSession(agent, create, { signal });
      await rememberLast(context, { session: session.id, agent: session.agent_id });
      output.progress(`Session ${session.id}: ${sessionAddress((await context.connection()).apiUrl, session.id)}`);
      const queued = await api.sendMessageAsync(session.id, { parts }, { signal });
      const record = await showTurn(context, api, queued, options);
      if (options.files !== undefined) {
        for (const path of await saveFiles(api, record, options.files, io)) output.progress(`Saved ${path}`);
      }
      failUnlessCompleted(record);
    });
}

/** Saves what the turn created or modified below `directory`. Resolves with the paths of the saved files. */
async function saveFiles(api: Client, record: MessageRecord, directory: string, io: Io): Promise<string[]> {
  const saved: string[] = [];
  await mkdir(directory, { recursive: true });
  for (const { path, change, size_bytes: size } of record.files_changed) {
    // Links have no size.
    if (change === "deleted" || size === null) continue;
    const target = join(directory, path);
    // The platform's paths have no `..`; another server may send anything.
    if (!target.startsWith(join(directory, sep))) throw invalid(`${path} is not below the workspace`);
    await mkdir(dirname(target), { recursive: true });
    await saveTo(
      target,
      Readable.from(await api.getSessionFileContent(record.session_id, { path }, { signal: io.signal })),
      io,
    );
    saved.push(target);
  }
  return saved;
}
