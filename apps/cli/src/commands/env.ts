// `dari env`: the connection as shell commands, for curl and for programs that read DARI_API_URL and DARI_API_KEY.

import type { Command } from "commander";
import { createContext, type Io } from "../context.ts";
import { CliError, exitCodes } from "../exit.ts";

export function addEnvCommand(program: Command, io: Io): void {
  program
    .command("env")
    .description('show the address and the key in use as shell commands: eval "$(dari env)"')
    .action(async (_options: unknown, command: Command) => {
      const { output, connection } = createContext(io, command);
      const { apiUrl, apiKey } = await connection();
      if (apiKey === undefined) {
        const advice =
          "run `dari auth login` or `dari login`, run it where `npm start` runs, or set DARI_DATA_DIR or DARI_API_KEY";
        throw new CliError(`no API key for ${apiUrl}; ${advice}`, exitCodes.unauthorized);
      }
      output.result({ api_url: apiUrl, api_key: apiKey }, () => {
        return [`export DARI_API_URL=${quoted(apiUrl)}`, `export DARI_API_KEY=${quoted(apiKey)}`].join("\n");
      });
    });
}

/** Quotes any text as one word of a POSIX shell. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
