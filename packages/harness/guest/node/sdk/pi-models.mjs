// pi reads its providers' addresses from its own file, and not from the variables that other SDKs read.

import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

const variables = { anthropic: "ANTHROPIC_BASE_URL", openai: "OPENAI_BASE_URL" };

/**
 * Writes pi's models.json from the environment, unless the agent or the session has its own. A file from an earlier
 * turn is updated.
 */
export function writeModels({ env } = process) {
  if (!env.HOME) return;
  const file = join(env.PI_CODING_AGENT_DIR || join(env.HOME, ".pi", "agent"), "models.json");
  const copy = join(env.HOME, ".dari", "pi", "models.json");
  const isOurs = existsSync(copy) && existsSync(file) && readFileSync(copy, "utf8") === readFileSync(file, "utf8");
  if (existsSync(file) && !isOurs) return;
  const named = Object.entries(variables).filter(([, variable]) => env[variable]);
  if (named.length === 0 && !isOurs) return;
  const providers = Object.fromEntries(named.map(([provider, variable]) => [provider, { baseUrl: env[variable] }]));
  for (const path of [file, copy]) {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    writeFileSync(path, `${JSON.stringify({ providers }, null, 2)}\n`, { mode: 0o600 });
  }
}
