// Stores which agent a directory was deployed as, per platform, in `.dari/deploy-state.json`.

import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { invalid } from "./exit.ts";

interface DeployState {
  readonly version: 1;
  readonly agents: Readonly<Record<string, string>>;
}

const empty: DeployState = { version: 1, agents: {} };

export function deployStatePath(root: string): string {
  return join(root, ".dari", "deploy-state.json");
}

/** Returns the agent that `root` was deployed as on the platform at `apiUrl`. */
export async function findDeployedAgent(root: string, apiUrl: string): Promise<string | undefined> {
  const { agents } = await readState(root);
  return Object.hasOwn(agents, apiUrl) ? agents[apiUrl] : undefined;
}

export async function rememberDeployedAgent(root: string, apiUrl: string, agentId: string): Promise<void> {
  const state = await readState(root);
  const next: DeployState = { version: 1, agents: { ...state.agents, [apiUrl]: agentId } };
  const path = deployStatePath(root);
  await mkdir(join(root, ".dari"), { recursive: true });
  await writeFile(`${path}.${process.pid}`, `${JSON.stringify(next, null, 2)}\n`);
  await rename(`${path}.${process.pid}`, path);
}

async function readState(root: string): Promise<DeployState> {
  const path = deployStatePath(root);
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch {
    return empty;
  }
  try {
    const state: unknown = JSON.parse(text);
    if (isDeployState(state)) return state;
  } catch {
    // Invalid JSON is refused below, because guessing would deploy a second agent.
  }
  throw invalid(`${path} cannot be read; remove it, and pass --agent to continue with an existing agent`);
}

function isDeployState(value: unknown): value is DeployState {
  if (typeof value !== "object" || value === null || !("version" in value) || value.version !== 1) return false;
  if (!("agents" in value) || typeof value.agents !== "object" || value.agents === null) return false;
  return Object.values(value.agents).every((id) => typeof id === "string");
}
