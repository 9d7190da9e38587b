// `dari dev`: publishes a directory on each save, without activating it, and talks to it in one conversation.

import type { Command } from "commander";
import { resolve } from "node:path";
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
      const [{ openDevVersions }, { createDevSessions }, { openChat }] = await Promise.all([
        import("../dev/versions.ts"),
        import("../dev/sessions.ts"),
        import("../chat/chat.ts"),
      ]);
      const context = createContext(io, command);
      const { output, signal } = context;
      const { apiUrl } = await context.connection();
      const api = await context.client();
      let say = output.progress;
      // A relative path means nothing after the current directory was removed and made again.
      const place = { ...options, root: resolve(root ?? "."), say: (line: string) => say(line) };
      using versions = await openDevVersions(context, api, place);
      output.progress(`Agent ${versions.agentId}: ${agentAddress(apiUrl, versions.agentId)}`);
      let inUse = await versions.untilReady();
      const sessions = createDevSessions(api, {
        signal,
        onMoved: (session) => rememberLast(context, { session }),
      });
      const sessionId = await sessions.begin(versions.agentId, inUse.id);
      output.progress(`Session ${sessionId}: ${sessionAddress(apiUrl, sessionId)}`);
      output.progress("Save a file to publish it; a line is a message. /help lists the commands.");

      /** Continues the conversation with the newest version, in a fork: a session keeps its version. */
      const beforeTurn = async (current: string): Promise<string> => {
        await versions.settle();
        const { newest } = versions;
        if (newest === undefined || newest.id === inUse.id) return current;
        const fork = await sessions.move(current, newest.id);
        inUse = newest;
        say(`Version ${newest.number} continues in ${fork}`);
        return fork;
      };
      using chat = await openChat(context, { sessionId, logs: options.logs, beforeTurn });
      say = chat.note;
      try {
        await chat.run();
      } finally {
        await sessions.end(chat.sessionId);
      }
      output.progress(`\`dari deploy ${root ?? "."}\` makes this directory's version the active one.`);
    });
}
