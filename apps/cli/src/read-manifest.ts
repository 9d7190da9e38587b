// Reads a directory's dari.yml.

import type { Manifest } from "@dari/contract";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { invalid } from "./exit.ts";
import { systemErrorCode } from "./system-error.ts";

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
export const loadParser = () => import("@dari/contract");

/** @throws CliError (exit code 2) if the file cannot be read. */
export async function readManifestText(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if (systemErrorCode(error) === "ENOENT") {
      throw invalid(`there is no ${path}; pass the agent's directory, or write an agent with \`dari init\``);
    }
    throw invalid(`cannot read ${path}: ${error instanceof Error ? error.message : String(error)}`);
  }
}
