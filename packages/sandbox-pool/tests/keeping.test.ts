// When the sandboxes of a session's turns are kept, and when that does not pay. No sandbox is real.

import { afterEach, expect, test } from "@jest/globals";
import { createLogger } from "@dari/runtime";
import type { Sandbox, SlotMounts } from "@dari/sandbox";
import { createSandboxPool, type SandboxPool } from "../src/pool.ts";
import type { SandboxRecipe } from "../src/recipe.ts";

const nothing = (): Promise<void> => Promise.resolve();
const yes = (): Promise<boolean> => Promise.resolve(true);
const mounts = {
  make: (name) => Promise.resolve(name),
  detach: nothing,
  remove: nothing,
  isAsMade: yes,
  isUntouched: yes,
} as Partial<SlotMounts> as SlotMounts;
const log = createLogger({ name: "test", level: "error" });
let pool: SandboxPool;
/** Sessions whose sandboxes were killed, in order. */
let killed: string[];
/** The last claim and head of each session. */
let sessions: Map<string, { fence: number; head: string | null }>;

function openPool(turnsMax: number): void {
  pool = createSandboxPool({ mounts, preloadMax: 0, turnsMax, keepMs: 60_000, hasFreeMemory: () => true, log });
  [killed, sessions] = [[], new Map()];
}

afterEach(() => pool.close());

function recipe(sessionId: string, group: string): SandboxRecipe {
  const { fence, head } = sessions.get(sessionId) ?? { fence: 0, head: null };
  return {
    ...{ key: group, group, shared: new Map() },
    session: { sessionId, fence: fence + 1, headSnapshotId: head },
    start: () => {
      const sandbox: Partial<Sandbox> = {
        exited: new Promise(() => {}),
        kill: () => Promise.resolve(void killed.push(sessionId)),
      };
      return Promise.resolve({ sandbox: sandbox as Sandbox, assignTo: () => undefined, release: () => undefined });
    },
  };
}

/** Begins a turn. Returns how to end it, which returns whether its sandbox is kept. */
async function begin(sessionId: string, group = "group"): Promise<() => boolean> {
  const wanted = recipe(sessionId, group);
  const serving = await pool.beginTurn(wanted);
  return () => {
    const rested = pool.canKeep(wanted) ? serving : undefined;
    const head = `the files of turn ${wanted.session!.fence}`;
    sessions.set(sessionId, { fence: wanted.session!.fence, head });
    pool.endTurn(wanted, { isPreloadable: true, rested })!.confirm(head);
    return rested !== undefined;
  };
}

const run = async (sessionId: string, group?: string): Promise<boolean> => (await begin(sessionId, group))();

/** Runs turns of these sessions, so many at once. Returns how many sandboxes were kept. */
async function runAll(names: readonly string[], atOnce: number): Promise<number> {
  const running: (() => boolean)[] = [];
  let kept = 0;
  const endOne = (): void => void (kept += Number(running.shift()!()));
  for (const name of names) {
    if (running.length === atOnce) endOne();
    running.push(await begin(name));
  }
  while (running.length > 0) endOne();
  return kept;
}

const many = Array.from({ length: 200 }, (_, index) => `session ${index}`);

test.each([1, 2, 4])("200 sessions over 4 slots, %s at once: soon no sandbox is kept", async (atOnce) => {
  openPool(4);
  const firsts = await runAll(many.slice(0, 20), atOnce);
  expect(firsts).toBeGreaterThan(0);
  expect(await runAll(many, atOnce)).toBe(0);
  expect(await runAll(many, atOnce)).toBe(0);
  expect(killed).toHaveLength(firsts);
  expect(pool.counts).toMatchObject({ kept: 0, reused: 0 });
});

test("a session that is alone after the load gets its last sandbox from its third turn on", async () => {
  openPool(4);
  await runAll(many, 4);
  const kept = [await run("alone"), await run("alone"), await run("alone")];
  expect(kept).toEqual([false, true, true]);
  expect(pool.counts.reused).toBe(1);
});

test("as many sessions as slots find their sandboxes under full load", async () => {
  openPool(4);
  const rounds = Array.from({ length: 10 }, () => many.slice(0, 4)).flat();
  expect(await runAll(rounds, 4)).toBe(40);
  expect(pool.counts.reused).toBe(36);
  expect(killed).toEqual([]);
});

test("sessions with one turn each do not keep another agent from finding its sandbox", async () => {
  openPool(8);
  for (let turn = 0; turn < 40; turn += 1) {
    expect(await run("chat", "chats")).toBe(true);
    for (const each of [0, 1, 2]) await run(`${turn} ${each}`, "batch");
  }
  expect(pool.counts).toMatchObject({ reused: 39, kept: 1 });
  expect(killed).not.toContain("chat");
});

test("nothing is kept if clients change the files between all turns", async () => {
  openPool(4);
  const changeFiles = (): void => void sessions.set("his", { ...sessions.get("his")!, head: "other files" });
  const kept = [];
  for (let turn = 0; turn < 20; turn += 1) {
    kept.push(await run("his"));
    changeFiles();
  }
  expect(kept).toEqual([...Array<boolean>(8).fill(true), ...Array<boolean>(12).fill(false)]);
});

test("a turn that is not recorded counts neither as found nor as lost", async () => {
  openPool(4);
  for (let turn = 0; turn < 20; turn += 1) {
    const wanted = recipe("his", "group");
    const rested = await pool.beginTurn(wanted);
    expect(pool.canKeep(wanted)).toBe(true);
    pool.endTurn(wanted, { isPreloadable: true, rested })!.discard();
  }
  expect(pool.counts).toMatchObject({ kept: 0, reused: 0 });
});
