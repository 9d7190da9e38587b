// `dari run`: one message to an agent, in a session of its own; shows the answer and saves the files.

import type { Client } from "@dari/client";
import type { MessageRecord } from "@dari/contract";
import type { Command } from "commander";
import { mkdir } from "node:fs/promises";
import { dirname, join, resolve, sep } from "node:path";
import { Readable } from "node:stream";
import { text as readAll } from "node:stream/consumers";
import { sessionAddress } from "../console-address.ts";
import { createContext, type Context, type Io } from "../context.ts";
import { invalid } from "../exit.ts";
import { rememberLast } from "../last-used.ts";
import { agentOption, collectOption, given } from "../options.ts";
import { saveTo } from "../output.ts";
import { chooseAgent } from "./chat.ts";
import { failUnlessCompleted, sendAndShow, uploadParts, verboseOption } from "./send.ts";

interface RunOptions {
  readonly agentId?: string;
  readonly versionId?: string;
  readonly name?: string;
  readonly file: readonly string[];
  readonly image: readonly string[];
  readonly files?: string;
  readonly stream?: boolean;
  readonly verbose?: boolean;
}

export function addRunCommand(program: Command, io: Io): void {
  program
    .command("run <prompt>")
    .description(
      "send one message in a new session, wait for the answer (also for inputs) and show it; -: standard input",
    )
    .addOption(agentOption("the agent (default: the one this directory was deployed as)"))
    .option("--version-id <id>", "a ready version (default: the active one)")
    .option("--name <name>", "a name for the session")
    .option("--file <path>", "attach a file; repeatable", collectOption, [])
    .option("--image <path>", "attach an image; repeatable", collectOption, [])
    .option("--files <directory>", "save the files that the turn created or changed in this directory")
    .option("--stream", "show the answer and the agent's output as they arrive; default on a terminal")
    .option("--no-stream", "show the answer when it is complete")
    .addOption(verboseOption())
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
      const record = await sendAndShow(context, api, { sessionId: session.id, content: { parts } }, options);
      if (options.files !== undefined) await saveFiles(context, api, record, options.files);
      failUnlessCompleted(record);
    });
}

/** Saves what the turn created or modified below `directory`. */
async function saveFiles(
  { io, output, signal }: Context,
  api: Client,
  record: MessageRecord,
  directory: string,
): Promise<void> {
  await mkdir(directory, { recursive: true });
  for (const { path, change, size_bytes: size } of record.files_changed) {
    // Links have no size.
    if (change === "deleted" || size === null) continue;
    if (isInGit(path)) {
      output.progress(`Did not save ${path}: files in .git can run commands on this machine`);
      continue;
    }
    const target = targetOf(directory, path);
    await mkdir(dirname(target), { recursive: true });
    const content = await api.getSessionFileContent(record.session_id, { path }, { signal });
    await saveTo(target, Readable.from(content), io);
    output.progress(`Saved ${target}`);
  }
}

/**
 * Returns where a file of the workspace is saved. The platform's paths have no `..`; another server may send anything.
 *
 * @throws CliError if the path leaves the directory
 */
export function targetOf(directory: string, path: string): string {
  const root = resolve(directory);
  const isBelow = join(root, path).startsWith(root.endsWith(sep) ? root : root + sep);
  if (!isBelow) throw invalid(`${path} is not below the workspace`);
  return join(directory, path);
}

/** A git configuration or hook runs commands, and an agent must not choose those of the user's repository. */
export function isInGit(path: string): boolean {
  return path.split(/[\\/]/).some((segment) => segment.toLowerCase() === ".git");
}
