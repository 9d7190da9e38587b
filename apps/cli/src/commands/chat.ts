// `dari chat`: a conversation in the terminal, in a new session of an agent or in an existing session.

import type { Command } from "commander";
import { sessionAddress } from "../console-address.ts";
import { createContext, type Context, type Io } from "../context.ts";
import { findDeployedAgent } from "../deploy-state.ts";
import { invalid } from "../exit.ts";
import { rememberLast } from "../last-used.ts";
import { given } from "../options.ts";

interface ChatCommandOptions {
  readonly versionId?: string;
  readonly logs?: boolean;
}

export function addChatCommand(program: Command, io: Io): void {
  program
    .command("chat [agent-or-session]")
    .description("talk to an agent (default: the one this directory was deployed as; -: the last session)")
    .option("--version-id <id>", "a ready version for the new session (default: the active one)")
    .option("--logs", "show what the agent writes to stdout and stderr")
    .action(async (target: string | undefined, options: ChatCommandOptions, command: Command) => {
      const context = createContext(io, command);
      const { apiUrl } = await context.connection();
      const isExisting = target?.startsWith("sess_") ?? false;
      const sessionId = await findSession(context, target, options.versionId);
      context.output.progress(`Session ${sessionId}: ${sessionAddress(apiUrl, sessionId)}`);
      if (io.stdin.isTTY) context.output.progress("/help lists the commands. Ctrl-C cancels a turn, Ctrl-D leaves.");
      const { openChat } = await import("../chat/chat.ts");
      using chat = await openChat(context, { sessionId, logs: options.logs ?? false, isExisting });
      await chat.run();
    });
}

async function findSession(context: Context, target: string | undefined, versionId?: string): Promise<string> {
  if (target?.startsWith("sess_")) return target;
  const agent = await chooseAgent(context, target);
  const session = await (await context.client()).createSession(agent, given({ version_id: versionId }), context);
  await rememberLast(context, { session: session.id, agent: session.agent_id });
  return session.id;
}

/** Returns the agent that a command names, or else the one that this directory was deployed as. */
export async function chooseAgent(context: Context, named: string | undefined): Promise<string> {
  const agent = named ?? (await findDeployedAgent(".", (await context.connection()).apiUrl));
  if (agent !== undefined) return agent;
  throw invalid("name an agent (`dari agents list` shows them): this directory was not deployed to that platform");
}
