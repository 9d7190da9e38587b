// `dari dev`: publishes a directory on each save, without activating it, and talks to it in one conversation.

import type { Command } from "commander";
import { agentAddress, sessionAddress } from "../console-address.ts";
import { createContext, type Io } from "../context.ts";
import { invalid } from "../exit.ts";
import { rememberLast } from "../last-used.ts";
import { agentOption } from "../options.ts";
import type { PublishOptions } from "../publish-to.ts";

interface DevCommandOptions extends PublishOptions {
  readonly logs: boolean;
}

export function addDevCommand(program: Command, io: Io): void {
  program
    .command("dev [root]")
    .description("publish a directory on each save, without activating it, and talk to it; logs are shown live")
    .addOption(agentOption("agent to publish to (default: the one this directory was deployed as, or a new one)"))
    .option("--new <name>", "create an agent with this name")
    .option("--no-logs", "do not show what the agent writes to stdout and stderr")
    .action(async (root: string | undefined, options: DevCommandOptions, command: Command) => {
      if (options.new !== undefined && options.agentId !== undefined) throw invalid("give either --agent or --new");
      const [{ openDevVersions }, { openChat }] = await Promise.all([
        import("../dev/versions.ts"),
        import("../chat/chat.ts"),
      ]);
      const context = createContext(io, command);
      const { output, signal } = context;
      const { apiUrl } = await context.connection();
      const api = await context.client();
      let say = output.progress;
      const place = { ...options, root: root ?? ".", say: (line: string) => say(line) };
      using versions = await openDevVersions(context, api, place);
      output.progress(`Agent ${versions.agentId}: ${agentAddress(apiUrl, versions.agentId)}`);
      let inUse = await versions.untilReady();
      const create = { version_id: inUse.id, name: "dari dev" };
      const session = await api.createSession(versions.agentId, create, { signal });
      output.progress(`Session ${session.id}: ${sessionAddress(apiUrl, session.id)}`);
      output.progress("Save a file to publish it; a line is a message. /help lists the commands.");

      /** Continues the conversation with the newest version, in a fork: a session keeps its version. */
      const beforeTurn = async (sessionId: string): Promise<string> => {
        await versions.settle();
        const { newest } = versions;
        if (newest === undefined || newest.id === inUse.id) return sessionId;
        const fork = await api.forkSession(sessionId, { version_id: newest.id }, { signal });
        inUse = newest;
        await rememberLast(context, { session: fork.id });
        say(`Version ${newest.number} continues in ${fork.id}`);
        return fork.id;
      };
      using chat = await openChat(context, { sessionId: session.id, logs: options.logs, beforeTurn });
      say = chat.note;
      await chat.run();
      output.progress(`\`dari deploy ${place.root}\` makes this directory's version the active one.`);
    });
}
