// `dari mcp`: serves agents, sessions and messages as tools for programs that run a model, over standard input and
// output.

import { dariRelease } from "@dari/contract/vocabulary";
import type { Command } from "commander";
import { createContext, type Io } from "../context.ts";

export function addMcpCommand(program: Command, io: Io): void {
  program
    .command("mcp")
    .description("serve agents and sessions as tools of the Model Context Protocol, over stdio")
    .action(async (_options: unknown, command: Command) => {
      const { client, signal } = createContext(io, command);
      // Imported here, so that other commands start without the protocol.
      const { serveMcp } = await import("../mcp/server.ts");
      await serveMcp({ client: await client(), version: dariRelease, stdin: io.stdin, stdout: io.stdout, signal });
    });
}
