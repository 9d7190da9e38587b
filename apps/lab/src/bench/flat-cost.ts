// Measures whether a turn costs the same however many messages wait and organizations exist: the pages that each step
// of a turn touches in PostgreSQL, which other programs do not affect, and its milliseconds, which they do. Expected:
// 20 % more at 100,000 waiting messages, because the indexes are a level deeper.
//
//   npm run lab -- bench/flat-cost [--smoke]

import { dispatch, openDatabase, turns, type Database } from "@dari/db";
import { newId, type DispatchedTurn } from "@dari/domain";
import {
  createTestOrganizations,
  createTestSession,
  fillBacklog,
  resetStatements,
  statementCost,
  type StatementCost,
  type TestAgent,
} from "@dari/testkit";
import { makeDir } from "./contestant.ts";
import { startServers } from "./servers.ts";
import { gate, report, type Gate } from "./verdict.ts";
import { readFlags } from "../flags.ts";

const flags = readFlags({ smoke: { type: "boolean", default: false } });
const { values } = flags;

interface Cell {
  readonly messages: number;
  readonly organizations: number;
}

const cell = (messages: number, organizations: number): Cell => ({ messages, organizations });
const parameters = {
  cells: values.smoke
    ? [cell(200, 1), cell(2_000, 100)]
    : [1_000, 10_000, 100_000].flatMap((messages) =>
        [1, 1_000, 10_000].filter((count) => count <= messages).map((count) => cell(messages, count)),
      ),
  turns: values.smoke ? 20 : 100,
  warm_up_turns: 10,
};

/** Part of each step's statement. */
const steps = {
  accept: "accept_message(",
  dispatch: "dispatch_sessions(",
  claim: "claim_turn(",
  call: "mark_called(",
  finish: "finish_turn(",
} as const;
type Step = keyof typeof steps;

const claimant = { workerId: "wrk_bench", leaseMs: 600_000, guarantees: {} };

/** Runs the statements of `count` turns, each in a session of a random organization. */
async function runTurns(db: Database, agents: readonly TestAgent[], count: number): Promise<void> {
  for (let i = 0; i < count; i++) await acceptOne(db, agents[Math.floor(Math.random() * agents.length)]!);
  for (let done = 0; done < count;) {
    const dispatched = await dispatchOne(db, agents[Math.floor(Math.random() * agents.length)]!);
    if (dispatched === undefined) continue;
    await carryOut(db, dispatched);
    done += 1;
  }
}

async function acceptOne(db: Database, { organizationId, agentId }: TestAgent): Promise<void> {
  const accepted = await turns.acceptMessage(db, {
    organizationId,
    sessionId: await createTestSession(db, organizationId, agentId),
    messageId: newId("message"),
    parts: [{ type: "text", text: "x".repeat(390) }],
    metadata: {},
    attachments: [],
    dispatchTtlMs: undefined,
  });
  if (accepted.outcome !== "accepted") throw new Error(`not accepted: ${accepted.outcome}`);
}

/** Returns undefined if no session of it waits. */
async function dispatchOne(db: Database, { organizationId }: TestAgent): Promise<DispatchedTurn | undefined> {
  return (await dispatch.dispatchIfReady(db, [{ organizationId, count: 1 }], 600_000))[0];
}

async function carryOut(db: Database, dispatched: DispatchedTurn): Promise<void> {
  const claim = await turns.claimIfDispatched(db, dispatched, newId("attempt"), claimant);
  if (claim.outcome !== "claimed") throw new Error(`not claimed: ${claim.outcome}`);
  await turns.markCalledIfHeld(db, claim.turn);
  await turns.finishIfHeld(db, claim.turn, completed());
}

/** The end of a session's first turn, which has changed nothing. */
function completed(): turns.FinishInput {
  return {
    ending: "completed",
    output: { parts: [{ type: "text", text: "ok" }] },
    filesChanged: [],
    snapshot: {
      id: newId("snapshot"),
      parentId: null,
      objectKey: null,
      isFull: true,
      deltaDepth: 0,
      treeHash: "0".repeat(64),
      sizeBytes: 0,
      files: 0,
      totalBytes: 0,
    },
  };
}

async function measure({ messages, organizations }: Cell): Promise<Record<Step, StatementCost>> {
  await using stack = new AsyncDisposableStack();
  const dir = await makeDir("flat-cost", stack);
  const servers = await startServers(dir, stack, { counting: true, redis: false });
  const agents = await createTestOrganizations(servers.db, organizations);
  await fillBacklog(servers.db, { organizationIds: agents.map((one) => one.organizationId), messages });
  // A single connection, so that each statement is planned once.
  const db = stack.adopt(
    openDatabase({ url: servers.databaseUrl, poolMax: 1, role: "dari_app", applicationName: "dari-flat-cost" }),
    (opened) => opened.close(),
  );
  await runTurns(db, agents, parameters.warm_up_turns);
  await resetStatements(servers.db);
  await runTurns(db, agents, parameters.turns);
  const costs = {} as Record<Step, StatementCost>;
  for (const [step, text] of Object.entries(steps)) costs[step as Step] = await statementCost(servers.db, text);
  return costs;
}

const measured: (Cell & { readonly costs: Record<Step, StatementCost> })[] = [];
for (const one of parameters.cells) measured.push({ ...one, costs: await measure(one) });

const round = (value: number): number => Math.round(value * 100) / 100;
const gates: Gate[] = Object.keys(steps).map((step) => {
  const blocks = measured.map(({ costs }) => costs[step as Step].blocks);
  return gate(`pages of ${step}: most / at the fewest`, Math.max(...blocks) / (blocks[0] ?? Number.NaN), 1.5);
});
const result = measured.map(({ messages, organizations, costs }) => ({
  messages,
  organizations,
  pages: Object.fromEntries(Object.entries(costs).map(([step, cost]) => [step, round(cost.blocks)])),
  ms: Object.fromEntries(Object.entries(costs).map(([step, cost]) => [step, round(cost.ms)])),
}));
report({ name: "flat-cost", parameters, result, gates, smoke: values.smoke });
