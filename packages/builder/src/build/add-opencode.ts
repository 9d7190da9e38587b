// Adds the package that runs an OpenCode agent, which can be a plain object without a package.json.

import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Manifest } from "@dari/contract";
import { BuildFailedError } from "./build-failed.ts";
import { readOptional } from "./installer.ts";

const dependencies = { "@opencode-ai/sdk": "1.19.3", "opencode-ai": "1.18.33" };

/**
 * Writes the package.json if the agent has none and its check failed for that reason.
 * @returns whether it did: then try the build again.
 */
export async function addOpencode(tree: string, manifest: Manifest, error: unknown): Promise<boolean> {
  if (manifest.sdk !== "opencode" || !(error instanceof BuildFailedError)) return false;
  const { code, message } = error.failure;
  if (code !== "unsupported_export" || !message.includes("@opencode-ai/sdk")) return false;
  if ((await readOptional(tree, "package.json")) !== undefined) return false;
  await writeFile(join(tree, "package.json"), JSON.stringify({ private: true, type: "module", dependencies }));
  return true;
}
