// Replaces every process of a platform, one after the other, while clients send, wait and listen: two APIs, workers and
// reconcilers each, on a Postgres and a Redis of their own, with a load balancer in front of the APIs. Each API leaves
// the rotation a moment before it gets SIGTERM, as in the Helm chart (preStop). Fails when a client saw
// a failed call, when a turn was lost, doubled or out of order, or when a listener missed an event.
//
//   npm run lab -- ship/rolling-restart [--rounds 2] [--rate 8] [--workers 2]
//
// A call has failed when it got no answer, or one of 500 and above other than 503, which has a `Retry-After`.

import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { createClient } from "@dari/client";
import { waitUntil } from "@dari/testkit";
import { spread } from "../chaos/check/recovery.ts";
import { listRemains } from "../chaos/check/remains.ts";
import { startSending } from "../chaos/load/generator.ts";
import { openJournal } from "../chaos/load/journal.ts";
import { openTenants, type Tenant } from "../chaos/load/tenants.ts";
import { countOpen } from "../chaos/run-plan.ts";
import { seededRandom } from "../chaos/seeded-random.ts";
import type { StageProgram } from "../chaos/stage/stage-program.ts";
import { startStage, type ApiProgram, type Stage } from "../chaos/stage/stage.ts";
import { readFlags } from "../flags.ts";
import { describeMachine } from "../machine.ts";
import { failedAnswers, startBalancer, type Balancer } from "./balancer.ts";
import { judgeRehearsal } from "./judgement.ts";
import { exitOnSignal } from "./exit-on-signal.ts";
import { judgeListener, listen, type Listener } from "./listeners.ts";

const flags = readFlags({
  rounds: { type: "string", default: "2" },
  rate: { type: "string", default: "8" },
  workers: { type: "string", default: "2" },
});
const rounds = flags.whole("rounds");
const perSecond = flags.number("rate", 0.1) ?? 8;
const workers = flags.whole("workers");

const tenantsCount = 3;
const sessionsEach = 6;
const slots = 4;
/** Before the first process goes and after the last has come, in milliseconds. */
const calmMs = 3_000;
/**
 * Between leaving the rotation and the signal, in milliseconds. The Helm chart waits 5 s, because there the
 * change takes longer to spread.
 */
const preStopMs = 1_000;
const stepWithinMs = 60_000;

const startedAt = performance.now();
const problems: string[] = [];
const exits: { kind: string; ms: number }[] = [];
await using stack = new AsyncDisposableStack();
exitOnSignal(stack);
const stage = stack.use(await startStage({ workers, slots, delivery: "queue" }));
const balancer = stack.use(await startBalancer(stage.apis.map(({ url }) => url)));
const effectsFile = path.join(stage.dir, "effects.jsonl");
const opened = await openTenants(stage, effectsFile, { tenants: tenantsCount, sessions: sessionsEach });
const tenants = opened.map((tenant) => throughBalancer(balancer, tenant));
const journal = openJournal();
const done = new AbortController();
const listeners = tenants.map(({ endpoints, sessionIds }) => listen(endpoints[0]!.client, sessionIds[0]!, done.signal));
const load = { turns: 1, perSecond, openMax: 2 * workers * slots, cancelled: 0.02 };
const sending = startSending(journal, tenants, load, seededRandom(1));
const counting = countOpen(stage, tenants, sending, done.signal);
say("the load runs");
await sleep(calmMs);
await replaceAll(stage);
await sleep(calmMs);
await sending.enough();
const organizationIds = tenants.map(({ organizationId }) => organizationId);
const { figures, sentences } = await judgeRehearsal(stage.db, { organizationIds, guestIds: [], effectsFile }, journal);
problems.push(...sentences, ...(await listRemains(stage)));
problems.push(...(await Promise.all(listeners.map((one) => missedBy(stage, one)))).flat());
const failed = failedAnswers(balancer);
problems.push(...failed.map(([what, times]) => `${times} calls failed: ${what}`));
done.abort();
await Promise.all([counting, ...listeners.map(({ ended }) => ended)]);
report();

async function replaceAll(on: Stage): Promise<void> {
  for (let round = 1; round <= rounds; round++) {
    for (const member of [...on.reconcilers, ...on.workers, ...on.apis]) {
      say(`round ${round}: ${member.name}`);
      const { pid } = member.program;
      await replace(
        member,
        on.apis.find((api) => api === member),
      );
      if (member.program.pid === pid) problems.push(`${member.name} is the process that it was`);
    }
  }
}

/** Replaces a process. An API leaves the rotation before it is stopped. */
async function replace(member: StageProgram, api: ApiProgram | undefined): Promise<void> {
  if (api !== undefined) {
    balancer.takeOut(api.url);
    await sleep(preStopMs);
  }
  const askedAt = performance.now();
  const end = await member.program.stop("SIGTERM", stepWithinMs);
  exits.push({ kind: member.kind, ms: performance.now() - askedAt });
  if (end.code !== 0) problems.push(`${member.name} ended with ${end.code ?? end.signal}`);
  await member.restart();
  if (api === undefined) return;
  const isReady = async (): Promise<boolean> => (await fetch(`${api.url}/readyz`)).ok;
  await waitUntil(isReady, { what: `${api.name} to be ready`, timeoutMs: stepWithinMs });
  balancer.putBack(api.url);
}

/** Returns the same organization, whose clients know only the balancer. */
function throughBalancer({ url: apiUrl }: Balancer, tenant: Tenant): Tenant {
  const { apiKey } = tenant;
  return { ...tenant, endpoints: [{ apiUrl, apiKey, client: createClient({ apiUrl, apiKey }) }] };
}

async function missedBy(on: Stage, listener: Listener): Promise<string[]> {
  const query = "select max(sequence_number)::int as last from dari.events where session_id = $1";
  const [row] = await on.ask<{ last: number }>(query, [listener.sessionId]);
  const last = row?.last ?? 0;
  const isOver = (): boolean => listener.problem !== undefined || listener.numbers.at(-1) === last;
  await waitUntil(isOver, { what: "the last event" }).catch(() => undefined);
  return judgeListener(listener, last);
}

function report(): void {
  const sum = (list: readonly (readonly [string, number])[]): number => list.reduce((all, [, times]) => all + times, 0);
  const exitsOf = (kind: string): object => spread(exits.filter((one) => one.kind === kind).map(({ ms }) => ms));
  const result = {
    calls: sum([...balancer.answers]),
    failed_calls: sum(failed),
    answers: Object.fromEntries(balancer.answers),
    ...figures,
    replaced: exits.length,
    exit_ms: { api: exitsOf("api"), worker: exitsOf("worker"), reconciler: exitsOf("reconciler") },
    events_heard: listeners.reduce((all, { numbers }) => all + numbers.length, 0),
    seconds: Math.round((performance.now() - startedAt) / 1_000),
  };
  const verdict = problems.length === 0 ? "passed" : "FAILED";
  const line = { name: "ship/rolling-restart", machine: describeMachine(), parameters: { rounds, perSecond, workers } };
  process.stdout.write(`${JSON.stringify({ ...line, result, problems, verdict })}\n`);
  process.exitCode = problems.length === 0 ? 0 : 1;
}

function say(text: string): void {
  process.stderr.write(`${Math.round((performance.now() - startedAt) / 1_000)} s`.padStart(7) + ` ${text}\n`);
}
