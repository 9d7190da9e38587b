// Upgrades an installation of an older release to this one without stopping it. The older release's programs create
// data and keep running while this release migrates the database. Then this release's programs start, and the older
// ones stop. Clients send all the time. Fails if a call failed, if a turn was lost, doubled or out of order, or if
// anything reads differently than before.
//
//   npm run lab -- ship/upgrade --from <commit> [--rate 4] [--history 0]
//
// The older release is checked out in a directory of its own and installs itself: package registries must be
// reachable. `--history` creates that many ended messages before the upgrade, as a large installation has them.

import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { cp } from "node:fs/promises";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { createClient } from "@dari/client";
import { migrate, openDatabase } from "@dari/db";
import { startPostgresServer } from "../chaos/stage/postgres.ts";
import { startRedisServer } from "../redis-server.ts";
import { chaosAgent, type Task } from "../chaos/load/agent.ts";
import { startSending } from "../chaos/load/generator.ts";
import { openJournal } from "../chaos/load/journal.ts";
import type { Endpoint, Tenant } from "../chaos/load/tenants.ts";
import { countOpen } from "../chaos/run-plan.ts";
import { seededRandom } from "../chaos/seeded-random.ts";
import { deploy } from "../conversation.ts";
import { readFlags } from "../flags.ts";
import { describeMachine } from "../machine.ts";
import { checkout } from "../program.ts";
import { removeDirectory } from "../remove-directory.ts";
import { judgeRehearsal } from "./judgement.ts";
import { exitOnSignal } from "./exit-on-signal.ts";
import { differences, readSessions } from "./readable-sessions.ts";
import { checkOutRelease } from "./release-checkout.ts";
import { createOrganization, endPrograms, startRelease, type Release } from "./release-programs.ts";
import { addHistory } from "./history.ts";

const flags = readFlags({
  from: { type: "string", default: "" },
  rate: { type: "string", default: "4" },
  history: { type: "string", default: "0" },
});
const from = flags.values.from === "" ? flags.refuse("--from: which commit to upgrade from") : flags.values.from;
const perSecond = flags.number("rate", 0.1) ?? 4;
const history = flags.whole("history", 0);

/** How long each state is observed before the next change, in milliseconds. */
const soakMs = 6_000;
const loadSessions = 8;
/** Sessions without activity during the upgrade, which must read the same afterwards. */
const restingSessions = 4;
const turnsEach = 5;
const openMax = 16;

const startedAt = performance.now();
const problems: string[] = [];
const phases: { name: string; at: number; refusals: Record<string, number> }[] = [];
await using stack = new AsyncDisposableStack();
exitOnSignal(stack);
const dir = mkdtempSync(path.join(tmpdir(), "dari-upgrade-"));
stack.defer(() => removeDirectory(dir));
const olderCheckout = path.join(dir, "older");
say(`checking out ${from}`);
await checkOutRelease(from, olderCheckout);
const postgres = stack.use(await startPostgresServer(path.join(dir, "postgres")));
const redis = stack.use(await startRedisServer(path.join(dir, "redis")));
const place = { dir, databaseUrl: postgres.url, redisUrl: redis.url };
const older = await startRelease({ ...place, name: "older", checkout: olderCheckout }, stack);
const db = stack.adopt(openDatabase({ url: postgres.url, poolMax: 4, applicationName: "dari-lab" }), (it) =>
  it.close(),
);
const journal = openJournal();
const effectsFile = path.join(dir, "effects.jsonl");
const owner = await openOrganization(older);
const endpoints = [endpointOf(older.apiUrl, owner.apiKey)];
const sessionIds = await createSessions(loadSessions);
const resting = await createSessions(restingSessions);
const tenant: Tenant = { ...owner, endpoints, sessionIds };
const random = seededRandom(1);
const done = new AbortController();
const load = { turns: 1, perSecond, openMax, cancelled: 0.02, choose: chooseKnownTask };
const sending = startSending(journal, [tenant], load, random);
const counting = countOpen({ db }, [tenant], sending, done.signal);
await sendToResting();
const added = history === 0 ? 0 : await addHistory(db, await openOrganization(older), history);
const before = await readSessions(endpoints[0]!.client, resting);
await phase("older release", soakMs);
const migratedAt = performance.now();
const { applied } = await migrate(postgres.url);
const migrationMs = Math.round(performance.now() - migratedAt);
await phase("migration", 0);
await phase("older release on the new schema", soakMs);
const newer = await startRelease({ ...place, name: "newer", checkout }, stack);
endpoints.push(endpointOf(newer.apiUrl, tenant.apiKey));
await phase("both releases", soakMs);
// Clients leave first, as a load balancer would make them.
endpoints.shift();
await sleep(1_000);
problems.push(...(await endPrograms(older)));
await phase("newer release", soakMs);
const after = await readSessions(endpoints[0]!.client, resting);
problems.push(...differences(before, after));
await sendToResting();
await sending.enough();
done.abort();
await counting;
const run = { organizationIds: [tenant.organizationId], guestIds: [], effectsFile };
const { books, figures, sentences } = await judgeRehearsal(db, run, journal);
problems.push(...sentences);
await phase("end", 0);
problems.push(...phases.flatMap(({ name, refusals }) => failedIn(name, refusals)));
report(problems.length === 0 ? undefined : await keepLogs());

/** Creates an organization with an agent, with the older release's commands and calls. */
async function openOrganization(on: Release): Promise<Omit<Tenant, "endpoints" | "sessionIds">> {
  const { id: organizationId, api_key: apiKey } = await createOrganization(on);
  const client = createClient({ apiUrl: on.apiUrl, apiKey });
  const { agentId } = await deploy({ apiUrl: on.apiUrl, apiKey, client }, chaosAgent(effectsFile));
  return { organizationId, apiKey, agentId };
}

async function createSessions(count: number): Promise<string[]> {
  const make = (): Promise<{ id: string }> => endpoints[0]!.client.createSession(owner.agentId);
  return (await Promise.all(Array.from({ length: count }, make))).map(({ id }) => id);
}

/** Its time limit is longer than a migration should block any call. */
function endpointOf(apiUrl: string, apiKey: string): Endpoint {
  return { apiUrl, apiKey, client: createClient({ apiUrl, apiKey, timeoutMs: 10_000 }) };
}

async function sendToResting(): Promise<void> {
  for (const sessionId of resting) {
    for (let i = 0; i < turnsEach; i++) {
      await sending.send(tenant, { sessionId, task: { do: "work" }, ms: 20, delivery: "sync" });
    }
  }
}

/** Returns what agents of every release can do. */
function chooseKnownTask(x: number): Task {
  if (x < 0.01) return { do: "fail", times: 99 };
  return x < 0.06 ? { do: "fail", times: 2 } : { do: "work" };
}

/** Waits `ms`, then returns the refusals since the last phase. */
async function phase(name: string, ms: number): Promise<void> {
  await sleep(ms);
  const refused = Object.fromEntries(
    [...journal.refusals].map(([what, times]) => [
      what,
      times - phases.reduce((sum, { refusals }) => sum + (refusals[what] ?? 0), 0),
    ]),
  );
  phases.push({ name, at: Date.now(), refusals: refused });
  say(`${name}: ${sending.begun} sent`);
}

function failedIn(name: string, refusals: Readonly<Record<string, number>>): string[] {
  return Object.entries(refusals)
    .filter(([what, times]) => times > 0 && !/^(429|503) /.test(what))
    .map(([what, times]) => `${name}: ${times} calls failed: ${what}`);
}

/** Copies the programs' logs to a directory that is kept, to explain failures. */
async function keepLogs(): Promise<string> {
  const kept = `${dir}-logs`;
  await cp(dir, kept, {
    recursive: true,
    filter: (file) => file === dir || /^[a-z0-9-]+\.log$/.test(path.basename(file)),
  });
  return kept;
}

function report(logs: string | undefined): void {
  const ends = [...books.messages.values()].flatMap(({ completedAt }) => completedAt ?? []);
  const result = {
    applied,
    migration_ms: migrationMs,
    history: added,
    ...figures,
    phases: phases.map(({ name, at, refusals }, i) => {
      const since = phases[i - 1]?.at ?? 0;
      return { name, ended: ends.filter((end) => end > since && end <= at).length, refusals };
    }),
    compared_sessions: Object.keys(before).length,
    seconds: Math.round((performance.now() - startedAt) / 1_000),
  };
  const verdict = problems.length === 0 ? "passed" : "FAILED";
  const line = { name: "ship/upgrade", machine: describeMachine(), parameters: { from, perSecond, history } };
  process.stdout.write(`${JSON.stringify({ ...line, result, problems: problems.slice(0, 20), logs, verdict })}\n`);
  process.exitCode = problems.length === 0 ? 0 : 1;
}

function say(text: string): void {
  process.stderr.write(`${Math.round((performance.now() - startedAt) / 1_000)} s`.padStart(7) + ` ${text}\n`);
}
