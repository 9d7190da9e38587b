// Sandboxes that wait for turns, with real sandboxes, real guests and agents that tell what they see.

import { afterAll, afterEach, beforeAll, expect, test } from "@jest/globals";
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { guestCommand, loadAhead, runTurn, type TurnEnding } from "@dari/harness";
import { createLogger } from "@dari/runtime";
import { createBwrapDriver, openSlotMounts, type SlotMounts } from "@dari/sandbox";
import { waitUntil } from "@dari/testkit";
import { createWarmPool, type WarmPool, type WarmPoolOptions, type WarmRecipe } from "../src/pool.ts";
import { createWarmSlots } from "../src/slots.ts";
import type { Taken } from "../src/pooled-sandbox.ts";

const driver = createBwrapDriver();
const guest = guestCommand("typescript", process.execPath);
const root = mkdtempSync(join(tmpdir(), "warm-pool-"));
const imageDir = join(root, "image");
const log = createLogger({ name: "test", level: "error" });
let mounts: SlotMounts;
let pool: WarmPool;

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

function openPool(o: Partial<WarmPoolOptions> = {}): WarmPool {
  const usual = { mounts, max: 2, slots: 4, sessionIdleMs: 60_000, hasRoom: () => true, log, restMs: 0 };
  // However slow the machine is, no turn of these tests is a long one.
  return (pool = createWarmPool({ ...usual, longTurnMs: Infinity, ...o }));
}

let held = 0;

/** `own`: the secret is the session's own, and not everybody's. */
function recipe(o: { file?: string; name?: string; secret?: string; group?: string; own?: boolean } = {}): WarmRecipe {
  const { file = "agent.mjs", name = "tell", secret = "one", group = "version", own = false } = o;
  return {
    key: [group, file, name, secret].join(" "),
    group,
    shared: new Map(own ? [] : [["SECRET", secret]]),
    async prepare(slotDir, slotMounts) {
      held += 1;
      const sandbox = await driver.prepare({
        argv: guest.argv,
        env: { SECRET: secret },
        imageDir,
        readOnlyPaths: guest.readOnlyPaths,
        slotDir,
        mounts: slotMounts,
        network: "none",
        limits: {},
      });
      loadAhead({ channel: sandbox.channel, entry: { file, export: name }, imageDir: "/agent", sdk: "pi" });
      return { sandbox, release: () => void (held -= 1) };
    },
  };
}

/** Has one wait, as after a turn. */
async function refill(wanted: WarmRecipe): Promise<void> {
  expect(await pool.enter(wanted)).toBeUndefined();
  pool.left(wanted, { isFit: true });
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
  { prepared: { sandbox } }: Taken,
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
      context: {
        sessionId: "s",
        messageId: "m",
        attempt: 1,
        parts: [],
        metadata: {},
        history: [],
        operationKey: "m",
        traceparent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        answers: {},
      },
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

async function told(taken: Taken | undefined, turnDir: string): Promise<Told> {
  const ending = await run(taken!, { claimed: taken!.prepared.sandbox.claim(turnDir) });
  await taken!.end();
  const part = ending.kind === "completed" ? ending.parts[0] : undefined;
  return JSON.parse(part?.type === "text" ? part.text : JSON.stringify(ending)) as Told;
}

test("a turn is served by a sandbox that waited, with its own workspace and home; the next by another", async () => {
  openPool();
  const wanted = recipe();
  await refill(wanted);
  const told1 = await told(await pool.enter(wanted), makeTurn("first"));
  expect(told1).toMatchObject({ turns: 1, cwd: "/workspace", home: "first", now: ["input", "output", "whose"] });
  expect(readdirSync(join(root, "first/workspace")).sort()).toEqual(["left", "whose"]);
  expect(readFileSync(join(root, "first/state/left"), "utf8")).toBe("one");
  pool.left(wanted, { isFit: true });
  const told2 = await told(await pool.enter(wanted), makeTurn("second"));
  expect(told2).toMatchObject({ turns: 1, home: "second", now: ["input", "output", "whose"] });
  expect(told2.id).not.toBe(told1.id);
  expect(pool.counts).toMatchObject({ waiting: 0, hits: 2, misses: 1 });
});

test("two turns at once have two sandboxes, and neither sees the other's files", async () => {
  openPool();
  const wanted = recipe();
  await Promise.all([pool.enter(wanted), pool.enter(wanted)]);
  for (const _ of [1, 2]) pool.left(wanted, { isFit: true });
  await waitUntil(() => pool.counts.waiting === 2, { what: "both to wait" });
  const [one, other] = await Promise.all([pool.enter(wanted), pool.enter(wanted)]);
  const both = await Promise.all([told(one, makeTurn("left")), told(other, makeTurn("right"))]);
  expect(both.map(({ home }) => home)).toEqual(["left", "right"]);
  expect(both[0].id).not.toBe(both[1].id);
});

test("a changed credential ends what waits with the old one, and so does no other agent's turn", async () => {
  openPool();
  await refill(recipe({ secret: "old" }));
  await refill(recipe({ group: "another" }));
  expect(pool.counts.waiting).toBe(2);
  await refill(recipe({ secret: "new" }));
  expect(pool.counts.waiting).toBe(2);
  expect(await pool.enter(recipe({ secret: "old" }))).toBeUndefined();
  const taken = await pool.enter(recipe({ group: "another" }));
  await taken!.end();
});

test("secrets that are sessions' own wait beside each other, and a turn gets the one with its own", async () => {
  openPool();
  for (const secret of ["his", "hers"]) await refill(recipe({ secret, own: true }));
  expect(pool.counts.waiting).toBe(2);
  for (const secret of ["his", "hers"]) {
    const turnDir = makeTurn(secret);
    await told(await pool.enter(recipe({ secret, own: true })), turnDir);
    expect(readFileSync(join(turnDir, "state/left"), "utf8")).toBe(secret);
  }
});

test("a credential that a session has replaced for itself is not the changed one", async () => {
  openPool();
  await refill(recipe({ secret: "everybody's" }));
  await refill(recipe({ secret: "hers", own: true }));
  expect(pool.counts.waiting).toBe(2);
});

test("while turns keep the machine busy none is started, and then one after the other", async () => {
  openPool({ busyAt: 1 });
  const [one, other] = [recipe({ group: "one" }), recipe({ group: "other" })];
  await Promise.all([pool.enter(one), pool.enter(other)]);
  pool.left(one, { isFit: true });
  expect(pool.counts.waiting).toBe(0);
  pool.left(other, { isFit: true });
  expect(pool.counts.waiting).toBe(1);
  await waitUntil(() => pool.counts.waiting === 2, { what: "the other to wait, too" });
});

test("a turn that has ended comes first, and then the sandbox for the next one", async () => {
  openPool({ restMs: 1 });
  await refill(recipe());
  expect(pool.counts.waiting).toBe(0);
  await waitUntil(() => pool.counts.waiting === 1, { what: "one to wait" });
  await (await pool.enter(recipe()))!.end();
});

test("beside a turn that lasts the next one's is started, not with what has been changed meanwhile", async () => {
  openPool({ longTurnMs: 0, lookEveryMs: 10 });
  expect(await pool.enter(recipe())).toBeUndefined();
  await waitUntil(() => pool.counts.waiting === 1, { what: "one to wait while the turn runs" });
  const changed = recipe({ secret: "two" });
  expect(await pool.enter(changed)).toBeUndefined();
  pool.left(changed, { isFit: true });
  await waitUntil(() => pool.counts.waiting === 1, { what: "one to wait with the new secret" });
  const taken = await pool.enter(recipe({ secret: "two" }));
  await taken!.end();
});

test("a turn that ends with a credential that has been changed meanwhile leaves none behind", async () => {
  openPool({ busyAt: 9 });
  const old = recipe({ secret: "old" });
  for (const each of [old, recipe({ secret: "new" })]) await pool.enter(each);
  pool.left(old, { isFit: true });
  expect(pool.counts.waiting).toBe(0);
});

test("what was put off while the machine was busy is not started with a credential that has been changed", async () => {
  openPool({ busyAt: 1 });
  const [old, changed, longer] = [recipe({ secret: "old" }), recipe({ secret: "new" }), recipe({ group: "another" })];
  await Promise.all([pool.enter(longer), pool.enter(old)]);
  pool.left(old, { isFit: true });
  await pool.enter(changed);
  pool.left(changed, { isFit: false });
  pool.left(longer, { isFit: true });
  expect(pool.counts.waiting).toBe(1);
  await (await pool.enter(longer))!.end();
  pool.left(longer, { isFit: false });
  expect(await pool.enter(old)).toBeUndefined();
});

test("one that is dead before a turn takes it is not given to the turn", async () => {
  openPool();
  const wanted = recipe();
  await refill({
    ...wanted,
    async prepare(...given) {
      const prepared = await wanted.prepare(...given);
      process.kill(prepared.sandbox.pid, "SIGKILL");
      await prepared.sandbox.exited;
      return prepared;
    },
  });
  // Asked for while it is being started: nobody has noticed yet.
  expect(await pool.enter(wanted)).toBeUndefined();
  expect(pool.counts).toMatchObject({ waiting: 0, hits: 0, misses: 2 });
});

/** A clock of some milliseconds does not tell it from the making of the directory before. */
async function change(dir: string, act: (dir: string) => void): Promise<void> {
  const before = statSync(dir, { bigint: true }).ctimeNs;
  const isSeen = (): boolean => (act(dir), statSync(dir, { bigint: true }).ctimeNs !== before);
  await waitUntil(isSeen, { what: "a change that the clock tells" });
}

test("a slot left as it was made is used again, another one is removed, and none is left at the end", async () => {
  openPool();
  const slots = createWarmSlots(mounts);
  const [first, second] = [await slots.take(), await slots.take()];
  await slots.giveBack(first);
  expect(await slots.take()).toBe(first);
  writeFileSync(join(second, "state", "left"), "");
  await slots.giveBack(second);
  // Empty again, but not as they were.
  const [third, fourth] = [await slots.take(), await slots.take()];
  await change(join(third, "state"), (dir) => {
    writeFileSync(join(dir, "left"), "");
    rmSync(join(dir, "left"));
  });
  await change(join(fourth, "workspace"), (dir) => chmodSync(dir, 0));
  for (const slot of [third, fourth]) await slots.giveBack(slot);
  expect(readdirSync(join(root, "warm"))).toEqual([basename(first)]);
  await slots.close();
  await slots.giveBack(first);
  expect(readdirSync(join(root, "warm"))).toEqual([]);
});

test("of many agents, those that were used last wait", async () => {
  openPool();
  for (const group of ["a", "b", "c"]) await refill(recipe({ group }));
  expect(pool.counts.waiting).toBe(2);
  expect(await pool.enter(recipe({ group: "a" }))).toBeUndefined();
  for (const group of ["b", "c"]) await (await pool.enter(recipe({ group })))!.end();
});

test("one that dies while it waits is dropped, and nothing waits for its agent for a while", async () => {
  openPool();
  await refill(recipe({ file: "dies.mjs" }));
  await waitUntil(() => pool.counts.waiting === 0, { what: "the dead sandbox to be dropped" });
  await refill(recipe({ file: "dies.mjs" }));
  expect(pool.counts.waiting).toBe(0);
});

test("one that is killed from outside while it waits is dropped", async () => {
  openPool();
  let pid = 0;
  const wanted = recipe();
  await refill({
    ...wanted,
    async prepare(...given) {
      const prepared = await wanted.prepare(...given);
      pid = prepared.sandbox.pid;
      return prepared;
    },
  });
  await waitUntil(() => pid > 0, { what: "the sandbox to start" });
  process.kill(pid, "SIGKILL");
  await waitUntil(() => pool.counts.waiting === 0, { what: "the dead sandbox to be dropped" });
});

test("an agent that writes to its home when it is imported starts with its turn", async () => {
  openPool();
  const wanted = recipe({ file: "writes.mjs" });
  await refill(wanted);
  await waitUntil(() => readdirSync(join(root, "warm")).some((slot) => hasEarly(slot)), { what: "the import" });
  expect(await pool.enter(wanted)).toBeUndefined();
  pool.left(wanted, { isFit: true });
  expect(pool.counts.waiting).toBe(0);
});

const hasEarly = (slot: string): boolean => readdirSync(join(root, "warm", slot, "state")).includes("early");

test("the time limit and a cancellation end a turn that waited for none", async () => {
  openPool();
  const name = "hang";
  const wanted = recipe({ name });
  await refill(wanted);
  const late = (await pool.enter(wanted))!;
  await late.prepared.sandbox.claim(makeTurn("late"));
  expect(await run(late, { name, timeoutMs: 50 })).toEqual({ kind: "timeout" });
  await late.end();
  pool.left(wanted, { isFit: true });
  const stopped = (await pool.enter(wanted))!;
  await stopped.prepared.sandbox.claim(makeTurn("stopped"));
  const stop = new AbortController();
  const ending = run(stopped, { name, signal: stop.signal, onCall: () => stop.abort() });
  expect(await ending).toEqual({ kind: "cancelled" });
  await stopped.end();
  expect((await stopped.prepared.sandbox.exited).signal).toBe("SIGKILL");
});

test("nothing waits while memory is short, or what no turn has asked for lately", async () => {
  let hasRoom = true;
  openPool({ hasRoom: () => hasRoom, lookEveryMs: 10 });
  await refill(recipe());
  expect(pool.counts.waiting).toBe(1);
  hasRoom = false;
  await waitUntil(() => pool.counts.waiting === 0, { what: "the sandboxes to make room" });
  await refill(recipe());
  expect(pool.counts.waiting).toBe(0);
  await pool.close();
  openPool({ idleMs: 0, lookEveryMs: 10 });
  await refill(recipe());
  await waitUntil(() => pool.counts.waiting === 0, { what: "the idle sandbox to end" });
});

test("closing ends what waits and what is being started, gives all back, and nothing waits afterwards", async () => {
  openPool();
  for (const group of ["a", "b"]) await refill(recipe({ group }));
  await waitUntil(() => held === 2, { what: "both to be started" });
  await pool.close();
  expect(held).toBe(0);
  await refill(recipe());
  expect(pool.counts.waiting).toBe(0);
});
