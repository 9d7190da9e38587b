// `dari login`: saves a platform's address and a key after trying them.

import { createClient } from "@dari/client";
import type { Command } from "commander";
import { findConnection, saveConnection, type ConnectionOptions } from "../config.ts";
import { createContext, type Io } from "../context.ts";
import { readSecret } from "../secret-input.ts";

export function addLoginCommand(program: Command, io: Io): void {
  program
    .command("login")
    .description("save the platform's address and an API key")
    .option("--value-stdin", "read the key from standard input")
    .action(async (options: { readonly valueStdin?: boolean }, command: Command) => {
      const { output, signal } = createContext(io, command);
      const given = command.optsWithGlobals<ConnectionOptions>();
      const { apiUrl } = await findConnection(given, io.environment);
      const apiKey = given.apiKey ?? (await readSecret(io, "API key: ", options.valueStdin ?? false));
      const { data: organizations } = await createClient({ apiUrl, apiKey }).listOrganizations({}, { signal });
      const path = await saveConnection({ apiUrl, apiKey }, io.environment);
      output.result({ api_url: apiUrl, organizations, path }, () => {
        return `Signed in to ${apiUrl} (${organizations.map(({ name }) => name).join(", ")}); saved in ${path}`;
      });
    });
}
