// Tests a platform that the compose file runs: an operator's first steps, an example agent, turns on every worker, a
// worker that leaves. Over HTTP and the `dari` command, as users do.

import { execFile } from "node:child_process";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { createClient, isTerminal, type Client } from "@dari/client";
import { waitUntil } from "@dari/testkit";
import { machineEnvironment } from "../../config.ts";
import { filesOf } from "../../conversation.ts";
import { deployFiles } from "../../deploy-files.ts";
import { checkout } from "../../program.ts";
import type { Engine } from "./engine.ts";

export interface Rehearsal {
  readonly figures: Readonly<Record<string, unknown>>;
  readonly problems: readonly string[];
}

interface Stage {
  readonly engine: Engine;
  readonly env: Readonly<Record<string, string>>;
  readonly apiUrl: string;
  readonly workers: number;
  readonly turns: number;
  readonly say: (text: string) => void;
}

const workersSeenWithinMs = 60_000;
const turnWithinMs = 120_000;
const cli = path.join(checkout, "apps/cli/bin/dari.mjs");

export async function rehearse(stage: Stage): Promise<Rehearsal> {
  const { engine, env, apiUrl, workers, turns, say } = stage;
  const problems: string[] = [];
  const made = ["exec", "-T", "api", "node", "apps/api/src/create-organization.ts", "Our team", "--operator"];
  const { api_key: apiKey } = JSON.parse(await engine.compose(made, env)) as { api_key: string };
  const client = createClient({ apiUrl, apiKey });
  const seen = await waitUntil(
    async () => {
      const health = await client.getOperatorHealth();
      return health.workers.length >= workers && health.workers;
    },
    { what: `${workers} workers`, timeoutMs: workersSeenWithinMs },
  );
  say("an example agent");
  const secrets = ["QUICKSTART_MODEL_KEY", "QUICKSTART_API_TOKEN"];
  for (const name of secrets) await client.putCredential(name, { value: `value of ${name}` });
  const begunAt = performance.now();
  const agent = await deployFiles({ apiUrl, apiKey }, filesOf(path.join(checkout, "examples/support-agent-ts")));
  const deploySeconds = secondsSince(begunAt);
  problems.push(...(await oneTurn(client, agent.agentId)));
  say(`${turns} turns on ${workers} workers`);
  const startedAt = performance.now();
  problems.push(...(await manyTurns(client, agent.agentId, turns)));
  const figures = { workers: seen.length, deploy_seconds: deploySeconds, turns_seconds: secondsSince(startedAt) };
  const containers = (await engine.compose(["ps", "--quiet", "worker"], env)).split("\n");
  const byWorker = await Promise.all(containers.map((id) => turnsOf(engine, id)));
  if (byWorker.some((count) => count === 0)) problems.push(`turns by worker: ${byWorker.join(", ")}`);
  const sandboxes = await Promise.all(containers.map((id) => sandboxOf(engine, id)));
  if (sandboxes.some((name) => name !== "bwrap")) problems.push(`sandboxes: ${sandboxes.join(", ")}`);
  say("a worker leaves while turns run");
  const running = manyTurns(client, agent.agentId, turns);
  await sleep(500);
  await engine.run("podman", ["stop", "--time", "60", containers[0] ?? ""]);
  problems.push(...(await running));
  const doctor = await examine(apiUrl, apiKey);
  problems.push(...doctor.problems);
  return { figures: { ...figures, turns_by_worker: byWorker, sandboxes, doctor: doctor.checks }, problems };
}

const secondsSince = (startedAt: number): number => Math.round((performance.now() - startedAt) / 100) / 10;

/** The README's example: a file goes in, a file comes out. */
async function oneTurn(client: Client, agentId: string): Promise<string[]> {
  const session = await client.createSession(agentId);
  const text = "Subject: Charged twice\n\nPlease refund one of the two charges.\nAda\n";
  const file = await client.uploadFile({ filename: "ticket.txt", content: new Blob([text]) });
  const parts = [
    { type: "text" as const, text: "Read the ticket and draft a reply." },
    { type: "file" as const, file_id: file.id },
  ];
  const record = await client.sendMessage(session.id, { parts }, { signal: AbortSignal.timeout(turnWithinMs) });
  if (record.status !== "completed") return [`the example's turn ended as ${record.status}`, JSON.stringify(record)];
  const changed = (await client.getMessageFiles(record.id)).files_changed.map((one) => one.path);
  return changed.includes("/output/reply.md") ? [] : [`the example changed ${changed.join(", ")}`];
}

/** Each in its own session, sent together. */
async function manyTurns(client: Client, agentId: string, turns: number): Promise<string[]> {
  const parts = [{ type: "text" as const, text: "Is anybody there?" }];
  const ends = await Promise.all(
    Array.from({ length: turns }, async () => {
      const session = await client.createSession(agentId);
      const sent = await client.sendMessageAsync(session.id, { parts });
      const what = { what: `the end of ${sent.id}`, timeoutMs: turnWithinMs };
      return waitUntil(async () => {
        const record = await client.getMessage(sent.id);
        return isTerminal(record) && record;
      }, what);
    }),
  );
  return ends.flatMap(({ id, status, output }) =>
    status === "completed" ? [] : [`${id} ended as ${status}: ${JSON.stringify(output?.error)}`],
  );
}

async function logOf(engine: Engine, container: string): Promise<string[]> {
  return (await engine.run("podman", ["logs", container])).split("\n");
}

async function turnsOf(engine: Engine, container: string): Promise<number> {
  return (await logOf(engine, container)).filter((line) => line.includes('"turn.finished"')).length;
}

async function sandboxOf(engine: Engine, container: string): Promise<string> {
  const chosen = (await logOf(engine, container)).find((line) => line.includes('"sandbox.chosen"'));
  return (JSON.parse(chosen ?? "{}") as { sandbox?: string }).sandbox ?? "none";
}

/** Runs `dari doctor`, which fails if it finds something. */
async function examine(apiUrl: string, apiKey: string): Promise<{ checks: number; problems: string[] }> {
  const env = { ...machineEnvironment(), DARI_API_URL: apiUrl, DARI_API_KEY: apiKey };
  const command = promisify(execFile)(process.execPath, [cli, "doctor", "--store", "--json"], { env });
  const { stdout } = await command.catch((error: unknown) => error as { stdout: string });
  const report = JSON.parse(stdout) as { checks: { name: string; ok: boolean; found: string }[] };
  const faults = report.checks.filter(({ ok }) => !ok);
  return {
    checks: report.checks.length,
    problems: faults.map(({ name, found }) => `dari doctor: ${name}: ${found}`),
  };
}
