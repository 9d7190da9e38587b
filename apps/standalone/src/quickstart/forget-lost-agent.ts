// Lets the quickstart start over after its data directory was removed, when the examples still name their old agents.

import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";

/** Removes the deployed agent from the state file of `example` if this platform has no such agent. */
export async function forgetLostAgent(example: string, apiUrl: string, apiKey: string): Promise<void> {
  const file = path.join(example, ".dari", "deploy-state.json");
  const state = await readFile(file, "utf8").then(
    (text) => JSON.parse(text) as { agents?: Record<string, string> },
    () => undefined,
  );
  const agentId = state?.agents?.[apiUrl];
  if (agentId === undefined) return;
  const response = await fetch(`${apiUrl}/v1/agents/${agentId}`, { headers: { authorization: `Bearer ${apiKey}` } });
  await response.body?.cancel();
  if (response.status !== 404) return;
  delete state?.agents?.[apiUrl];
  await writeFile(file, `${JSON.stringify(state, null, 2)}\n`);
}
