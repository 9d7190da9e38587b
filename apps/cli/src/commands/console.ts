// `dari console`: a link that opens the console in a browser, signed in with the command line's key.

import type { Command } from "commander";
import { createContext, type Io } from "../context.ts";

export function addConsoleCommand(program: Command, io: Io): void {
  program
    .command("console")
    .description("print a link that signs a browser in to the console, once, within ten minutes")
    .action(async (_options: unknown, command: Command) => {
      const { output, client, signal } = createContext(io, command);
      const link = await (await client()).createKeySignInLink({ signal });
      output.result(link, () => link.url);
    });
}
