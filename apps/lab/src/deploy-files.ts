// Deploys an agent that is given as text with the real `dari deploy`.

import { execFile } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { machineEnvironment } from "./config.ts";

const cli = path.resolve(import.meta.dirname, "../../cli/bin/dari.mjs");

export interface Deployed {
  readonly agentId: string;
  readonly deploymentId: string;
  readonly versionId: string;
}

/** `files`: path to content. @throws with the command's message if the build fails. */
export async function deployFiles(
  api: { apiUrl: string; apiKey: string },
  files: Readonly<Record<string, string>>,
): Promise<Deployed> {
  const dir = await mkdtemp(path.join(tmpdir(), "dari-agent-"));
  try {
    for (const [name, content] of Object.entries(files)) {
      await mkdir(path.dirname(path.join(dir, name)), { recursive: true });
      await writeFile(path.join(dir, name), content);
    }
    const env = { ...machineEnvironment(), DARI_API_URL: api.apiUrl, DARI_API_KEY: api.apiKey };
    const { stdout } = await promisify(execFile)(process.execPath, [cli, "deploy", dir, "--json"], { env });
    const reply = JSON.parse(stdout) as Record<string, string>;
    return {
      agentId: reply["agent_id"] ?? "",
      deploymentId: reply["deployment_id"] ?? "",
      versionId: reply["version_id"] ?? "",
    };
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}
