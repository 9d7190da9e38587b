// Templates: real sandboxes, real guests, and agents that report what they see.

import { afterAll, afterEach, beforeAll, expect, test } from "@jest/globals";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createRuntimes } from "@dari/builder";
import { guestCommand, preloadAgent, loadTemplate, runTurn, waitForGuest } from "@dari/harness";
import { createLogger } from "@dari/runtime";
import { createBwrapDriver, openSlotMounts, type SlotMounts } from "@dari/sandbox";
import { waitUntil } from "@dari/testkit";
import { createSandboxPool, type SandboxPool, type SandboxPoolOptions } from "../src/pool.ts";
import type { ServingSandbox } from "../src/pooled-sandbox.ts";
import type { SandboxRecipe, Slot } from "../src/recipe.ts";
import { turnContext } from "./turn-context.ts";

const driver = createBwrapDriver({ forkWithinMs: 2_000 });
const root = mkdtempSync(join(tmpdir(), "warm-templates-"));
const imageDir = join(root, "image");
const logged: { readonly msg: string }[] = [];
const observe = (fields: object, msg: string): void => void logged.push({ ...fields, msg });
const log = createLogger({ name: "test", level: "error", observe });
let mounts: SlotMounts;
let pool: SandboxPool;

const source = `
import os, random, threading, uuid
loaded = str(uuid.uuid4())
def tell(prompt, context):
    with open("left", "w") as file:
        file.write(prompt)
    seen = {"loaded": loaded, "drawn": random.random(), "pid": os.getpid(), "now": sorted(os.listdir("."))}
    own = threading.main_thread().native_id == threading.get_native_id()
    tmp = [name for name in os.listdir("/tmp") if os.path.isfile(f"/tmp/{name}")]
    return {**seen, "tmp": tmp, "threads": threading.active_count(), "own": own}
def crash(prompt, context):
    os._exit(3)
def leave(prompt, context):
    with open("/tmp/left", "w") as file:
        file.write(prompt)
    return tell(prompt, context)
`;
const sources = {
  "agent.py": source,
  "threads.py": `${source}threading.Thread(target=threading.Event().wait, daemon=True).start()\n`,
  "opens.py": `${source}kept = open("/etc/hostname") if os.path.exists("/etc/hostname") else os.pipe()\n`,
  "writes.py": `${source}open(os.environ["HOME"] + "/early", "w").close()\n`,
  "scratch.py": `${source}import tempfile\nkept = tempfile.mkdtemp()\n`,
  "hangs.py": `${source}threading.Event().wait()\n`,
  "breaks.py": "raise ValueError('not today')\n",
  "logs.py": `${source}os.register_at_fork(after_in_parent=lambda: os.path.exists("/tmp/forked"))\n`,
};

beforeAll(async () => {
  mkdirSync(imageDir);
  for (const [name, text] of Object.entries(sources)) writeFileSync(join(imageDir, name), text);
  mounts = await openSlotMounts(join(root, "warm"), driver);
});

afterEach(async () => {
  await pool.close();
  expect(readdirSync(join(root, "warm"))).toEqual([]);
  logged.length = 0;
});

afterAll(async () => {
  await mounts.close();
  rmSync(root, { recursive: true });
});

function openPool(o: Partial<SandboxPoolOptions> = {}): SandboxPool {
  const limits = { preloadMax: 2, turnsMax: 4, keepMs: 60_000, refillDelayMs: 0 };
  const usual = { mounts, hasFreeMemory: () => true, log, ...limits };
  return (pool = createSandboxPool({ ...usual, longTurnMs: Infinity, ...o }));
}

/** One entry for each started template. */
const templates: number[] = [];
const runtimes = createRuntimes({ cacheDir: join(root, "runtimes"), env: process.env, allowNearest: true });
const pythons = (await runtimes.list()).filter(({ language }) => language === "python").map(({ version }) => version);

async function commands(version: string | undefined) {
  const python = await runtimes.resolve("python", version);
  const guest = guestCommand("python", python.command);
  const template = guestCommand("python", python.command, { isTemplate: true });
  return { guest, template, readOnlyPaths: [...guest.readOnlyPaths, ...python.readOnlyPaths] };
}

/** `version`: Python version (default: the newest of this machine). */
function recipe(
  o: { file?: string; name?: string; secret?: string; group?: string; version?: string } = {},
): SandboxRecipe {
  const { file = "agent.py", name = "tell", secret = "one", group = "version" } = o;
  const usual = { env: { SECRET: secret }, imageDir, network: "none", limits: {} } as const;
  const what = { entry: { file, export: name }, imageDir: "/agent", sdk: "openai-agents" };
  return {
    key: [group, file, name, secret].join(" "),
    group,
    shared: new Map([["SECRET", secret]]),
    async start(slot) {
      const { guest, readOnlyPaths } = await commands(o.version);
      const sandbox = await driver.prepare({ ...usual, readOnlyPaths, argv: guest.argv, ...slot });
      preloadAgent({ ...what, channel: sandbox.channel });
      return { sandbox, assignTo: () => {}, release: () => {} };
    },
    async startTemplate(slot, signal) {
      const { template, readOnlyPaths } = await commands(o.version);
      const spec = { ...usual, readOnlyPaths, argv: template.argv, ...slot };
      const made = await driver.prepareTemplate(spec);
      for (const said of [made!.stdout, made!.stderr]) said.resume();
      const why = await loadTemplate(made!, { ...what, signal });
      if (why === undefined && (await slot.mounts.isUntouched(slot.slotDir))) {
        templates.push(templates.length);
        const fork = async (childSlot: Slot) => ({
          sandbox: await made!.fork(childSlot),
          assignTo: () => {},
          release: () => {},
        });
        return { exited: made!.exited, fork, end: () => made!.kill() };
      }
      await made!.kill();
      return why ?? "it wrote";
    },
  };
}

function makeTurn(name: string): string {
  const turnDir = join(root, `turn-${name}`);
  for (const folder of ["workspace", "state"]) mkdirSync(join(turnDir, folder), { recursive: true });
  return turnDir;
}

interface Told {
  readonly loaded: string;
  readonly drawn: number;
  readonly pid: number;
  readonly now: string[];
  readonly tmp: string[];
  readonly threads: number;
  readonly own: boolean;
}

let turns = 0;

/** Runs a turn in its sandbox to its end. */
async function told(taken: ServingSandbox | undefined, name = "tell"): Promise<Told> {
  const { sandbox } = taken!.started;
  const turnDir = makeTurn(String((turns += 1)));
  const ending = await runTurn({
    channel: sandbox.channel,
    exited: sandbox.exited,
    request: {
      entry: { file: "agent.py", export: name },
      imageDir: "/agent",
      workspace: "/workspace",
      sdk: "openai-agents",
      prompt: `turn ${turns}`,
      context: turnContext,
    },
    timeoutMs: 20_000,
    signal: new AbortController().signal,
    beforeCall: () => sandbox.claim(turnDir),
    onFrame: () => undefined,
  });
  await taken!.pooled.end();
  if (ending.kind === "completed") {
    expect(readFileSync(join(turnDir, "workspace/left"), "utf8")).toBe(`turn ${turns}`);
  }
  const part = ending.kind === "completed" ? ending.parts[0] : undefined;
  return JSON.parse(part?.type === "text" ? part.text : JSON.stringify(ending)) as Told;
}

/** Runs a turn that gets no sandbox from the pool. */
async function coldTurn(wanted: SandboxRecipe): Promise<void> {
  expect(await pool.beginTurn(wanted)).toBeUndefined();
  pool.endTurn(wanted, { isPreloadable: true });
}

async function turn(wanted: SandboxRecipe, name?: string): Promise<Told> {
  const said = await told(await pool.beginTurn(wanted), name);
  pool.endTurn(wanted, { isPreloadable: true });
  return said;
}

test.each(pythons)("Python %s: an agent is loaded once, and each of its turns has its own fork", async (version) => {
  openPool();
  const wanted = recipe({ name: "leave", version });
  await coldTurn(wanted);
  const [one, two, three] = [await turn(wanted), await turn(wanted), await turn(wanted)];
  expect(new Set([one, two, three].map(({ loaded }) => loaded)).size).toBe(1);
  expect(new Set([one, two, three].map(({ drawn }) => drawn)).size).toBe(3);
  expect(new Set([one, two, three].map(({ pid }) => pid)).size).toBe(3);
  for (const each of [one, two, three]) {
    expect(each).toMatchObject({ now: ["input", "left", "output"], tmp: ["left"], threads: 2, own: true });
  }
  expect(pool.counts).toMatchObject({ hits: 3, misses: 1, templates: 1 });
});

test("two concurrent turns are forked from one template", async () => {
  openPool();
  const wanted = recipe();
  await Promise.all([pool.beginTurn(wanted), pool.beginTurn(wanted)]);
  for (const _ of [1, 2]) pool.endTurn(wanted, { isPreloadable: true });
  await waitUntil(() => pool.counts.preloaded === 2, { what: "both to wait" });
  const [one, other] = await Promise.all([pool.beginTurn(wanted), pool.beginTurn(wanted)]);
  const [first, second] = [await told(one), await told(other)];
  expect(first.loaded).toBe(second.loaded);
  expect(first.pid).not.toBe(second.pid);
});

test("a busy worker preloads nothing, but forks a sandbox for each turn from the third on", async () => {
  openPool({ busyAtTurns: 0 });
  const wanted = recipe();
  await coldTurn(wanted);
  expect(pool.counts.templates).toBe(0);
  await coldTurn(wanted);
  await waitUntil(() => logged.some(({ msg }) => msg === "warm.template_ready"), { what: "the template" });
  const [one, two] = [await turn(wanted), await turn(wanted)];
  expect(one.loaded).toBe(two.loaded);
  expect(pool.counts).toMatchObject({ preloaded: 0, hits: 0, misses: 4, forked: 2 });
});

test("in a burst in which no turn ends, the turns wait for one template and are forked from it", async () => {
  openPool({ busyAtTurns: 1 });
  const wanted = recipe();
  const begun = await Promise.all([1, 2, 3, 4].map(() => pool.beginTurn(wanted)));
  const loaded = new Set<string>();
  for (const one of begun) loaded.add((await told(one)).loaded);
  expect(loaded.size).toBe(1);
  for (const _ of [1, 2, 3, 4]) pool.endTurn(wanted, { isPreloadable: true });
  expect(pool.counts).toMatchObject({ misses: 4, forked: 4, templates: 1 });
});

test.each([
  ["threads.py", "its code has started threads"],
  ["opens.py", "its code has opened files or connections and keeps them"],
  ["writes.py", "it wrote"],
  ["scratch.py", "its code has made files in /tmp or /dev/shm"],
  ["breaks.py", "its code cannot be loaded"],
])("what cannot be forked is loaded for each turn, and the log says why: %s", async (file, why) => {
  openPool();
  const wanted = recipe({ file });
  await coldTurn(wanted);
  await waitUntil(() => logged.some(({ msg }) => msg === "warm.no_template"), { what: "the reason" });
  expect(logged.find(({ msg }) => msg === "warm.no_template")).toMatchObject({ why });
  const before = logged.length;
  if (file === "threads.py") {
    const [one, two] = [await turn(wanted), await turn(wanted)];
    expect(one.loaded).not.toBe(two.loaded);
    expect(pool.counts).toMatchObject({ hits: 2, templates: 0 });
  }
  expect(logged.slice(before).filter(({ msg }) => msg === "warm.no_template")).toEqual([]);
});

test("a template that does more than fork is forked once, and its turns continue without it", async () => {
  openPool();
  const wanted = recipe({ file: "logs.py" });
  await coldTurn(wanted);
  const one = await turn(wanted);
  await waitUntil(() => logged.some(({ msg }) => msg === "warm.fork_failed"), { what: "the second fork" });
  const two = await turn(wanted);
  expect(one.loaded).not.toBe(two.loaded);
  expect(pool.counts).toMatchObject({ hits: 2, misses: 1, templates: 0 });
});

test("a replaced credential ends the template and preloaded sandboxes, and not the running turn", async () => {
  openPool();
  const old = recipe({ secret: "old" });
  await coldTurn(old);
  const running = await pool.beginTurn(old);
  const { pid } = running!.started.sandbox;
  const changed = recipe({ secret: "new" });
  await coldTurn(changed);
  expect(existsSync(`/proc/${pid}`)).toBe(true);
  expect((await told(running)).now).toEqual(["input", "left", "output"]);
  pool.endTurn(old, { isPreloadable: true });
  const said = await turn(changed);
  expect(said.loaded).not.toBe("");
  expect(await pool.beginTurn(old)).toBeUndefined();
  pool.endTurn(old, { isPreloadable: false });
});

test("turns start their own sandboxes after the template was killed", async () => {
  openPool();
  const wanted = recipe();
  let pid = 0;
  const watched: SandboxRecipe = {
    ...wanted,
    async startTemplate(...given) {
      const made = await wanted.startTemplate!(...given);
      if (typeof made === "string") return made;
      return { ...made, fork: async (slot) => made.fork(slot).then((one) => ((pid = one.sandbox.pid), one)) };
    },
  };
  await coldTurn(watched);
  await waitUntil(() => pid !== 0, { what: "a fork" });
  const parent = Number(/PPid:\t(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))![1]);
  process.kill(parent, "SIGKILL");
  await waitUntil(() => pool.counts.templates === 0, { what: "the end of the template" });
  await waitUntil(() => pool.counts.preloaded === 0, { what: "the end of its children" });
  expect(await pool.beginTurn(watched)).toBeUndefined();
  pool.endTurn(watched, { isPreloadable: true });
});

/** Begins turns of one agent. The template of the last one does not answer from then on. */
async function beginBehindStuckTemplate(wanted: SandboxRecipe): Promise<{ running: ServingSandbox; holder: number }> {
  await coldTurn(wanted);
  await coldTurn(wanted);
  await waitUntil(() => logged.some(({ msg }) => msg === "warm.template_ready"), { what: "the template" });
  const running = (await pool.beginTurn(wanted))!;
  const { pid, channel } = running.started.sandbox;
  expect(await waitForGuest(channel, new AbortController().signal)).toBe(true);
  expect(running.started.isFit!()).toBe(true);
  const holder = Number(/TracerPid:\t(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))![1]);
  process.kill(holder, "SIGSTOP");
  expect(await pool.beginTurn(wanted)).toBeUndefined();
  expect(pool.counts.templates).toBe(0);
  return { running, holder };
}

async function expectEnded(wanted: SandboxRecipe, holder: number): Promise<void> {
  for (const _ of [1, 2]) pool.endTurn(wanted, { isPreloadable: true });
  await pool.close();
  expect(existsSync(`/proc/${holder}`)).toBe(false);
}

test("a late fork ends no running turn, and its slot is not used before its child has ended", async () => {
  openPool({ busyAtTurns: 0 });
  const usual = recipe();
  let started = 0;
  const wanted: SandboxRecipe = { ...usual, start: (...given) => ((started += 1), usual.start(...given)) };
  const { running, holder } = await beginBehindStuckTemplate(wanted);
  expect(started).toBe(0);
  // It is not kept for another turn, so that the template ends.
  expect(await running.pooled.isUnusable()).toBe(true);
  expect((await told(running)).now).toEqual(["input", "left", "output"]);
  await expectEnded(wanted, holder);
});

test("an agent that ends behind a template that does not answer has no known exit", async () => {
  openPool({ busyAtTurns: 0 });
  const wanted = recipe({ name: "crash" });
  const { running, holder } = await beginBehindStuckTemplate(wanted);
  expect(await told(running, "crash")).toMatchObject({ kind: "failed", lacksExit: true });
  expect(running.started.isFit!()).toBe(false);
  await expectEnded(wanted, holder);
});

test("templates are limited in number, and there is none while memory is short", async () => {
  let hasFreeMemory = true;
  openPool({ hasFreeMemory: () => hasFreeMemory, reviewEveryMs: 10 });
  for (const group of ["a", "b", "c"]) {
    await coldTurn(recipe({ group }));
    await turn(recipe({ group }));
  }
  expect(pool.counts.templates).toBe(2);
  expect(logged.filter(({ msg }) => msg === "warm.template_ready")).toHaveLength(2);
  hasFreeMemory = false;
  await waitUntil(() => pool.counts.templates === 0 && pool.counts.preloaded === 0, { what: "all to end" });
  await coldTurn(recipe({ group: "c" }));
  expect(pool.counts.templates).toBe(0);
});

test("closing the pool ends a template that is still loading", async () => {
  openPool();
  await coldTurn(recipe());
  expect(pool.counts.templates).toBe(1);
  await pool.close();
  expect(pool.counts).toMatchObject({ templates: 0, preloaded: 0 });
});

test("an old template is replaced by a new one", async () => {
  openPool({ templateAgeMs: 0 });
  const wanted = recipe();
  const ready = (count: number): boolean => logged.filter(({ msg }) => msg === "warm.template_ready").length >= count;
  await coldTurn(wanted);
  const one = await turn(wanted);
  await waitUntil(() => ready(2), { what: "the second template" });
  await turn(wanted);
  const three = await turn(wanted);
  expect(three.loaded).not.toBe(one.loaded);
  expect(pool.counts).toMatchObject({ hits: 3, misses: 1, templates: 1 });
});

test("a turn that waits for an endless import can be cancelled, and nothing is started for it afterwards", async () => {
  openPool();
  let started = 0;
  const { start, ...rest } = recipe({ file: "hangs.py", secret: "old" });
  const hanging: SandboxRecipe = { ...rest, start: (...given) => ((started += 1), start(...given)) };
  await coldTurn(hanging);
  const cancelling = new AbortController();
  const cancelled = pool.beginTurn(hanging, cancelling.signal);
  cancelling.abort();
  expect(await cancelled).toBeUndefined();
  pool.endTurn(hanging, { isPreloadable: true });
  expect(await pool.beginTurn(recipe({ secret: "new" }))).toBeUndefined();
  await pool.close();
  expect(pool.counts).toMatchObject({ templates: 0, preloaded: 0 });
  expect(started).toBe(0);
});
