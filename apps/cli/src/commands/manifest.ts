// `dari manifest validate`, and reading a directory's dari.yml, which `dari deploy` also does.

import type { Manifest } from "@dari/contract";
import type { Command } from "commander";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { createContext, type Io } from "../context.ts";
import { CliError, exitCodes, invalid } from "../exit.ts";
import { systemErrorCode } from "../system-error.ts";

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

/**
 * Returns the manifest of the directory `root`.
 * @throws CliError (exit code 2) with every issue.
 */
export async function readManifest(root: string): Promise<Manifest> {
  const path = join(root, "dari.yml");
  const { formatManifestIssues, parseManifest } = await loadParser();
  const result = parseManifest(await readManifestText(path));
  if (!result.ok) throw invalid(formatManifestIssues(path, result.issues));
  return result.manifest;
}

/** Imports the schemas only when they are needed, so that other commands start faster. */
const loadParser = () => import("@dari/contract");

async function readManifestText(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if (systemErrorCode(error) === "ENOENT") {
      throw invalid(`there is no ${path}; pass the agent's directory, or write an agent with \`dari init\``);
    }
    throw invalid(`cannot read ${path}: ${error instanceof Error ? error.message : String(error)}`);
  }
}
