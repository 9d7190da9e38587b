// `dari manifest validate`.

import type { Command } from "commander";
import { join } from "node:path";
import { createContext, type Io } from "../context.ts";
import { CliError, exitCodes, invalid } from "../exit.ts";
import { loadParser, readManifestText } from "../read-manifest.ts";

export function addManifestCommands(program: Command, io: Io): void {
  const manifest = program.command("manifest").description("work with dari.yml");
  manifest
    .command("validate [root]")
    .description("check the dari.yml of a directory and list every problem")
    .action(async (root: string | undefined, _options: unknown, command: Command) => {
      const { output } = createContext(io, command);
      const path = join(root ?? ".", "dari.yml");
      const { formatManifestIssues, parseManifest } = await loadParser();
      const result = parseManifest(await readManifestText(path));
      if (!result.ok && output.isJson) {
        output.result({ valid: false, path, errors: result.issues }, () => "");
        throw new CliError(`${path} is not valid`, exitCodes.invalid);
      }
      if (!result.ok) throw invalid(formatManifestIssues(path, result.issues));
      const { manifest: valid, warnings } = result;
      output.result({ valid: true, path, manifest: valid, warnings }, () => {
        return [`${path} is valid: ${valid.name} (${valid.sdk}, ${valid.entrypoint})`, ...warnings].join("\n");
      });
    });
}
