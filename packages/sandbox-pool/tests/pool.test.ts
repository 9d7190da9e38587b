// Preloaded sandboxes: real sandboxes, real guests, and agents that report what they see.

import { afterAll, afterEach, beforeAll, expect, test } from "@jest/globals";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { guestCommand, preloadAgent, runTurn, type TurnEnding } from "@dari/harness";
import { createLogger } from "@dari/runtime";
import { createBwrapDriver, openSlotMounts, type SlotMounts } from "@dari/sandbox";
import { waitUntil } from "@dari/testkit";
import { createSandboxPool, type SandboxPool, type SandboxPoolOptions } from "../src/pool.ts";
import type { ServingSandbox } from "../src/pooled-sandbox.ts";
import type { SandboxRecipe } from "../src/recipe.ts";
import { turnContext } from "./turn-context.ts";

const driver = createBwrapDriver();
const guest = guestCommand("typescript", process.execPath);
const root = mkdtempSync(join(tmpdir(), "warm-pool-"));
const imageDir = join(root, "image");
const log = createLogger({ name: "test", level: "error" });
let mounts: SlotMounts;
let pool: SandboxPool;

const source = `
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
const atImport = readdirSync("/workspace").concat(readdirSync("/state"));
const id = Math.random();
let turns = 0;
export const tell = () => {
  turns += 1;
  const [cwd, now] = [process.cwd(), readdirSync(".")];
  const said = { id, turns, atImport, cwd, now, home: readFileSync(process.env.HOME + "/whose", "utf8") };
  writeFileSync("left", String(id));
  writeFileSync(process.env.HOME + "/left", process.env.SECRET);
  return JSON.stringify(said);
};
export const hang = (prompt, { signal }) => new Promise((resolve) => signal.addEventListener("abort", resolve));
`;
const sources = {
  "agent.mjs": source,
  "writes.mjs": `${source}writeFileSync(process.env.HOME + "/early", "");`,
  "dies.mjs": "process.exit(3);",
};

beforeAll(async () => {
  mkdirSync(imageDir);
  for (const [name, text] of Object.entries(sources)) writeFileSync(join(imageDir, name), text);
  mounts = await openSlotMounts(join(root, "warm"), driver);
});

afterEach(async () => {
  await pool.close();
  expect(readdirSync(join(root, "warm"))).toEqual([]);
});

afterAll(async () => {
  await mounts.close();
  expect(readFileSync("/proc/self/mountinfo", "utf8")).not.toContain(root);
  rmSync(root, { recursive: true });
});

function openPool(o: Partial<SandboxPoolOptions> = {}): SandboxPool {
  const limits = { preloadMax: 2, turnsMax: 4, keepMs: 60_000, refillDelayMs: 0 };
  const usual = { mounts, hasFreeMemory: () => true, log, ...limits };
  // On a slow machine, no turn of these tests may count as long.
  return (pool = createSandboxPool({ ...usual, longTurnMs: Infinity, ...o }));
}

let held = 0;

/** `own`: the secret belongs to the session. */
function recipe(
  o: { file?: string; name?: string; secret?: string; group?: string; own?: boolean } = {},
): SandboxRecipe {
  const { file = "agent.mjs", name = "tell", secret = "one", group = "version", own = false } = o;
  return {
    key: [group, file, name, secret].join(" "),
    group,
    shared: new Map(own ? [] : [["SECRET", secret]]),
    async start(slot) {
      held += 1;
      const sandbox = await driver.prepare({
        argv: guest.argv,
        env: { SECRET: secret },
        imageDir,
        readOnlyPaths: guest.readOnlyPaths,
        ...slot,
        network: "none",
        limits: {},
      });
      preloadAgent({ channel: sandbox.channel, entry: { file, export: name }, imageDir: "/agent", sdk: "pi" });
      return { sandbox, assignTo: () => {}, release: () => void (held -= 1) };
    },
  };
}

/** Runs a turn without a sandbox, so that one is preloaded. */
async function refill(wanted: SandboxRecipe): Promise<void> {
  expect(await pool.beginTurn(wanted)).toBeUndefined();
  pool.endTurn(wanted, { isPreloadable: true });
}

function makeTurn(name: string): string {
  const turnDir = join(root, name);
  for (const folder of ["workspace", "state"]) {
    mkdirSync(join(turnDir, folder), { recursive: true });
    writeFileSync(join(turnDir, folder, "whose"), name);
  }
  return turnDir;
}

function run(
  { started: { sandbox } }: ServingSandbox,
  o: { name?: string; timeoutMs?: number; signal?: AbortSignal; claimed?: Promise<void>; onCall?: () => void } = {},
): Promise<TurnEnding> {
  return runTurn({
    channel: sandbox.channel,
    exited: sandbox.exited,
    request: {
      entry: { file: "agent.mjs", export: o.name ?? "tell" },
      imageDir: "/agent",
      workspace: "/workspace",
      sdk: "pi",
      prompt: "hi",
      context: turnContext,
    },
    timeoutMs: o.timeoutMs ?? 20_000,
    signal: o.signal ?? new AbortController().signal,
    beforeCall: () => (o.claimed ?? Promise.resolve()).then(() => o.onCall?.()),
    onFrame: () => undefined,
  });
}

interface Told {
  readonly id: number;
  readonly turns: number;
  readonly atImport: string[];
  readonly cwd: string;
  readonly now: string[];
  readonly home: string;
}

async function told(taken: ServingSandbox | undefined, turnDir: string): Promise<Told> {
  const ending = await run(taken!, { claimed: taken!.started.sandbox.claim(turnDir) });
  await taken!.pooled.end();
  const part = ending.kind === "completed" ? ending.parts[0] : undefined;
  return JSON.parse(part?.type === "text" ? part.text : JSON.stringify(ending)) as Told;
}

test("a preloaded sandbox serves one turn, with the workspace and home of the turn", async () => {
  openPool();
  const wanted = recipe();
  await refill(wanted);
  const told1 = await told(await pool.beginTurn(wanted), makeTurn("first"));
  expect(told1).toMatchObject({ turns: 1, cwd: "/workspace", home: "first", now: ["input", "output", "whose"] });
  expect(readdirSync(join(root, "first/workspace")).sort()).toEqual(["left", "whose"]);
  expect(readFileSync(join(root, "first/state/left"), "utf8")).toBe("one");
  pool.endTurn(wanted, { isPreloadable: true });
  const told2 = await told(await pool.beginTurn(wanted), makeTurn("second"));
  expect(told2).toMatchObject({ turns: 1, home: "second", now: ["input", "output", "whose"] });
  expect(told2.id).not.toBe(told1.id);
  expect(pool.counts).toMatchObject({ preloaded: 0, hits: 2, misses: 1 });
});

test("two concurrent turns have two sandboxes, and neither sees the other's files", async () => {
  openPool();
  const wanted = recipe();
  await Promise.all([pool.beginTurn(wanted), pool.beginTurn(wanted)]);
  for (const _ of [1, 2]) pool.endTurn(wanted, { isPreloadable: true });
  await waitUntil(() => pool.counts.preloaded === 2, { what: "both to wait" });
  const [one, other] = await Promise.all([pool.beginTurn(wanted), pool.beginTurn(wanted)]);
  const both = await Promise.all([told(one, makeTurn("left")), told(other, makeTurn("right"))]);
  expect(both.map(({ home }) => home)).toEqual(["left", "right"]);
  expect(both[0].id).not.toBe(both[1].id);
});

test("a replaced credential ends the preloaded sandbox with the old one, and no sandbox of another agent", async () => {
  openPool();
  await refill(recipe({ secret: "old" }));
  await refill(recipe({ group: "another" }));
  expect(pool.counts.preloaded).toBe(2);
  await refill(recipe({ secret: "new" }));
  expect(pool.counts.preloaded).toBe(2);
  expect(await pool.beginTurn(recipe({ secret: "old" }))).toBeUndefined();
  const taken = await pool.beginTurn(recipe({ group: "another" }));
  await taken!.pooled.end();
});

test("sandboxes with secrets of different sessions are preloaded side by side", async () => {
  openPool();
  for (const secret of ["his", "hers"]) await refill(recipe({ secret, own: true }));
  expect(pool.counts.preloaded).toBe(2);
  for (const secret of ["his", "hers"]) {
    const turnDir = makeTurn(secret);
    await told(await pool.beginTurn(recipe({ secret, own: true })), turnDir);
    expect(readFileSync(join(turnDir, "state/left"), "utf8")).toBe(secret);
  }
});

test("a credential that a session sets for itself does not replace the shared one", async () => {
  openPool();
  await refill(recipe({ secret: "everybody's" }));
  await refill(recipe({ secret: "hers", own: true }));
  expect(pool.counts.preloaded).toBe(2);
});

test("nothing is preloaded while turns keep the machine busy, and then one after the other", async () => {
  openPool({ busyAtTurns: 1 });
  const [one, other] = [recipe({ group: "one" }), recipe({ group: "other" })];
  await Promise.all([pool.beginTurn(one), pool.beginTurn(other)]);
  pool.endTurn(one, { isPreloadable: true });
  expect(pool.counts.preloaded).toBe(0);
  pool.endTurn(other, { isPreloadable: true });
  expect(pool.counts.preloaded).toBe(1);
  await waitUntil(() => pool.counts.preloaded === 2, { what: "the other to wait, too" });
});

test("a sandbox is preloaded a moment after the turn has ended", async () => {
  openPool({ refillDelayMs: 1 });
  await refill(recipe());
  expect(pool.counts.preloaded).toBe(0);
  await waitUntil(() => pool.counts.preloaded === 1, { what: "one to wait" });
  await (await pool.beginTurn(recipe()))!.pooled.end();
});

test("during a long turn one is preloaded, and not with a credential that was replaced in the meantime", async () => {
  openPool({ longTurnMs: 0, reviewEveryMs: 10 });
  expect(await pool.beginTurn(recipe())).toBeUndefined();
  await waitUntil(() => pool.counts.preloaded === 1, { what: "one to wait while the turn runs" });
  const changed = recipe({ secret: "two" });
  expect(await pool.beginTurn(changed)).toBeUndefined();
  pool.endTurn(changed, { isPreloadable: true });
  await waitUntil(() => pool.counts.preloaded === 1, { what: "one to wait with the new secret" });
  const taken = await pool.beginTurn(recipe({ secret: "two" }));
  await taken!.pooled.end();
});

test("a turn whose credential was replaced while it ran preloads nothing", async () => {
  openPool({ busyAtTurns: 9 });
  const old = recipe({ secret: "old" });
  for (const each of [old, recipe({ secret: "new" })]) await pool.beginTurn(each);
  pool.endTurn(old, { isPreloadable: true });
  expect(pool.counts.preloaded).toBe(0);
});

test("a delayed refill is not started with a credential that was replaced", async () => {
  openPool({ busyAtTurns: 1 });
  const [old, changed, longer] = [recipe({ secret: "old" }), recipe({ secret: "new" }), recipe({ group: "another" })];
  await Promise.all([pool.beginTurn(longer), pool.beginTurn(old)]);
  pool.endTurn(old, { isPreloadable: true });
  await pool.beginTurn(changed);
  pool.endTurn(changed, { isPreloadable: false });
  pool.endTurn(longer, { isPreloadable: true });
  expect(pool.counts.preloaded).toBe(1);
  await (await pool.beginTurn(longer))!.pooled.end();
  pool.endTurn(longer, { isPreloadable: false });
  expect(await pool.beginTurn(old)).toBeUndefined();
});

test("a dead sandbox is not given to a turn", async () => {
  openPool();
  const wanted = recipe();
  await refill({
    ...wanted,
    async start(...given) {
      const started = await wanted.start(...given);
      process.kill(started.sandbox.pid, "SIGKILL");
      await started.sandbox.exited;
      return started;
    },
  });
  // The turn begins while the sandbox is starting, so its death was not noticed yet.
  expect(await pool.beginTurn(wanted)).toBeUndefined();
  expect(pool.counts).toMatchObject({ preloaded: 0, hits: 0, misses: 2 });
});

test("of many agents, the least recently used are evicted", async () => {
  openPool();
  for (const group of ["a", "b", "c"]) await refill(recipe({ group }));
  expect(pool.counts.preloaded).toBe(2);
  expect(await pool.beginTurn(recipe({ group: "a" }))).toBeUndefined();
  for (const group of ["b", "c"]) await (await pool.beginTurn(recipe({ group })))!.pooled.end();
});

test("a preloaded sandbox that dies is evicted, and its agent is not preloaded for a while", async () => {
  openPool();
  await refill(recipe({ file: "dies.mjs" }));
  await waitUntil(() => pool.counts.preloaded === 0, { what: "the dead sandbox to be dropped" });
  await refill(recipe({ file: "dies.mjs" }));
  expect(pool.counts.preloaded).toBe(0);
});

test("a preloaded sandbox that is killed from outside is evicted", async () => {
  openPool();
  let pid = 0;
  const wanted = recipe();
  await refill({
    ...wanted,
    async start(...given) {
      const started = await wanted.start(...given);
      pid = started.sandbox.pid;
      return started;
    },
  });
  await waitUntil(() => pid > 0, { what: "the sandbox to start" });
  process.kill(pid, "SIGKILL");
  await waitUntil(() => pool.counts.preloaded === 0, { what: "the dead sandbox to be dropped" });
});

test("an agent whose import writes to its home is not preloaded", async () => {
  openPool();
  const wanted = recipe({ file: "writes.mjs" });
  await refill(wanted);
  await waitUntil(() => readdirSync(join(root, "warm")).some((slot) => hasEarly(slot)), { what: "the import" });
  expect(await pool.beginTurn(wanted)).toBeUndefined();
  pool.endTurn(wanted, { isPreloadable: true });
  expect(pool.counts.preloaded).toBe(0);
});

const hasEarly = (slot: string): boolean => readdirSync(join(root, "warm", slot, "state")).includes("early");

test("the time limit and a cancellation end a turn in a preloaded sandbox", async () => {
  openPool();
  const name = "hang";
  const wanted = recipe({ name });
  await refill(wanted);
  const late = (await pool.beginTurn(wanted))!;
  await late.started.sandbox.claim(makeTurn("late"));
  expect(await run(late, { name, timeoutMs: 50 })).toEqual({ kind: "timeout" });
  await late.pooled.end();
  pool.endTurn(wanted, { isPreloadable: true });
  const stopped = (await pool.beginTurn(wanted))!;
  await stopped.started.sandbox.claim(makeTurn("stopped"));
  const stop = new AbortController();
  const ending = run(stopped, { name, signal: stop.signal, onCall: () => stop.abort() });
  expect(await ending).toEqual({ kind: "cancelled" });
  await stopped.pooled.end();
  expect((await stopped.started.sandbox.exited).signal).toBe("SIGKILL");
});

test("sandboxes are evicted while memory is short, and when no turn has used them lately", async () => {
  let hasFreeMemory = true;
  openPool({ hasFreeMemory: () => hasFreeMemory, reviewEveryMs: 10 });
  await refill(recipe());
  expect(pool.counts.preloaded).toBe(1);
  hasFreeMemory = false;
  await waitUntil(() => pool.counts.preloaded === 0, { what: "the sandboxes to make room" });
  await refill(recipe());
  expect(pool.counts.preloaded).toBe(0);
  await pool.close();
  openPool({ idleMs: 0, reviewEveryMs: 10 });
  await refill(recipe());
  await waitUntil(() => pool.counts.preloaded === 0, { what: "the idle sandbox to end" });
});

test("closing ends preloaded and starting sandboxes, and nothing is preloaded afterwards", async () => {
  openPool();
  for (const group of ["a", "b"]) await refill(recipe({ group }));
  await waitUntil(() => held === 2, { what: "both to be started" });
  await pool.close();
  expect(held).toBe(0);
  await refill(recipe());
  expect(pool.counts.preloaded).toBe(0);
});

test("sandboxes that serve no turn are ended at once if memory is missing", async () => {
  openPool();
  await refill(recipe());
  expect(pool.counts.preloaded).toBe(1);
  expect(pool.evictIdle()).toBe(true);
  expect(pool.counts.preloaded).toBe(0);
  expect(pool.evictIdle()).toBe(false);
  await waitUntil(() => held === 0, { what: "the sandbox to end" });
});
