// The agent of the kill test: waits, and records in its workspace which turns it has run.

import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Client } from "@dari/client";
import { openAsBlob } from "node:fs";
import { buildBundle } from "../bundle/pack-bundle.ts";
import type { Environment } from "../config.ts";
import { CliError } from "../exit.ts";

/** Long enough that every first turn still runs when the worker dies, in milliseconds. */
const turnMs = 8_000;

const files = {
  "dari.yml": JSON.stringify({
    name: "dari-kill-test",
    sdk: "opencode",
    entrypoint: "agent.mjs:agent",
    runtime: { language: "typescript", timeout_seconds: 120 },
    retries: { max_attempts: 3 },
  }),
  "agent.mjs": `import { appendFileSync, readFileSync } from "node:fs";

export async function agent(prompt, { attempt }) {
  appendFileSync("turns.txt", prompt + "\\n");
  if (prompt === "1" && attempt === 1) await new Promise((resolve) => setTimeout(resolve, ${turnMs}));
  return readFileSync("turns.txt", "utf8");
}
`,
};

/** Publishes it and waits for its build. Resolves with its id. @throws CliError if it cannot be built. */
export async function publishThrowawayAgent(
  client: Client,
  environment: Environment,
  signal: AbortSignal,
): Promise<string> {
  const root = await mkdtemp(join(tmpdir(), "dari-kill-test-"));
  try {
    for (const [name, text] of Object.entries(files)) await writeFile(join(root, name), text);
    await using bundle = await buildBundle(root, environment);
    const { sha256, size_bytes } = bundle;
    const reserved = await client.createSourceSnapshot({ format: "tar.gz", sha256, size_bytes }, { signal });
    await client.uploadReservedBundle(reserved, await openAsBlob(bundle.archivePath), { signal });
    await client.finalizeSourceSnapshot(reserved.source_snapshot_id, { signal });
    const made = await client.createAgent({ source_snapshot_id: reserved.source_snapshot_id }, { signal });
    const version = await client.waitForVersion(made.agent_id, made.version_id, { signal });
    if (version.status === "ready") return made.agent_id;
    await client.deleteAgent(made.agent_id).catch(() => undefined);
    throw new CliError(`the test's agent was not built: ${version.failure?.message ?? "no reason was given"}`);
  } finally {
    await rm(root, { recursive: true, force: true });
  }
}
