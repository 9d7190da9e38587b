// Sandboxes that are kept between turns of a session: real sandboxes, real guests, and agents that try to outlive
// their turn.

import { afterAll, afterEach, beforeAll, describe, expect, test } from "@jest/globals";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { guestCommand, waitForGuest, preloadAgent, loadTemplate, runTurn } from "@dari/harness";
import { createLogger } from "@dari/runtime";
import { createBwrapDriver, openSlotMounts, type SandboxTemplate, type SlotMounts } from "@dari/sandbox";
import { waitUntil } from "@dari/testkit";
import { createSandboxPool, type SandboxPool, type SandboxPoolOptions } from "../src/pool.ts";
import type { PendingKeep } from "../src/last-turns.ts";
import type { ServingSandbox } from "../src/pooled-sandbox.ts";
import type { SandboxRecipe } from "../src/recipe.ts";

const driver = createBwrapDriver();
const root = mkdtempSync(join(tmpdir(), "warm-sessions-"));
const imageDir = join(root, "image");
const log = createLogger({ name: "test", level: "error" });
const languages = {
  "agent.mjs": guestCommand("typescript", process.execPath),
  "agent.py": guestCommand("python", realpathSync("/usr/bin/python3")),
  // The same agent, in a sandbox that is forked from a template.
  "forked.py": guestCommand("python", realpathSync("/usr/bin/python3"), { isTemplate: true }),
};
type File = keyof typeof languages;
let mounts: SlotMounts;
let templateMounts: SlotMounts;
let template: SandboxTemplate;
let pool: SandboxPool;
let turnDirs = 0;

const javascript = `
import { spawn } from "node:child_process";
import { openSync, readdirSync, writeFileSync } from "node:fs";
let turns = 0;
let kept;
const does = {
  tell() {},
  keeps: () => void (kept = spawn("/bin/sleep", ["1000"], { cwd: "/", stdio: "ignore" })),
  usesKept: () => void process.kill(kept.pid, 0),
  daemon: () => void spawn("/bin/sleep", ["1000"], { cwd: "/", detached: true, stdio: "ignore" }).unref(),
  open: () => void openSync("open", "w"),
  home: () => void openSync(process.env.HOME + "/open", "w"),
  later: () => void setImmediate(() => (writeFileSync("/workspace/late", ""), does.later())),
};
export const agent = (prompt) => {
  does[prompt]();
  writeFileSync("turn", String((turns += 1)));
  return JSON.stringify({ pid: process.pid, turns, files: readdirSync("."), secret: process.env.SECRET });
};
`;

// A signal wakes a stopped process, and a timer that it set before can send one.
const python = `
import ctypes, json, mmap, os, signal, socket, threading, time
turns, kept = 0, []
def tell(): pass
def mapped():
    with open("mapped", "w+b") as file:
        file.truncate(4096)
        kept.append(mmap.mmap(file.fileno(), 4096))
def flying():
    ends = socket.socketpair()
    with open("flying", "w") as file:
        socket.send_fds(ends[0], [b"x"], [file.fileno()])
    kept.extend(ends)
def wake_every(ms):
    class Event(ctypes.Structure):
        _fields_ = [("value", ctypes.c_void_p), ("number", ctypes.c_int), ("rest", ctypes.c_int * 13)]
    signal.signal(signal.SIGCONT, lambda *_: None)
    rt = ctypes.CDLL("librt.so.1", use_errno=True)
    # A stop discards pending signals, and a repeating timer whose signal is discarded never fires again.
    for at in range(ms, 1000 * ms, ms):
        timer, once = ctypes.c_void_p(), (ctypes.c_long * 4)(0, 0, at // 1000, at % 1000 * 1000000)
        assert rt.timer_create(1, ctypes.byref(Event(None, signal.SIGCONT)), ctypes.byref(timer)) == 0
        assert rt.timer_settime(timer, 0, ctypes.byref(once), None) == 0
def alarm():
    wake_every(200)
    def write():
        while True:
            try:
                with open("/workspace/late", "w"): pass
            except OSError: pass
            threading.Event().wait(0.001)
    threading.Thread(target=write, daemon=True).start()
def compute():
    wake_every(200)
    def spin():
        while True: pass
    threading.Thread(target=spin, daemon=True).start()
def nap():
    wake_every(20)
    def spin():
        while True:
            end = time.thread_time() + 0.002
            while time.thread_time() < end: pass
            os.kill(os.getpid(), signal.SIGSTOP)
    threading.Thread(target=spin, daemon=True).start()
def agent(prompt):
    global turns
    globals()[prompt]()
    turns += 1
    with open("turn", "w") as file: file.write(str(turns))
    return json.dumps({"pid": os.getpid(), "turns": turns, "files": os.listdir("."), "secret": os.environ["SECRET"]})
`;

beforeAll(async () => {
  mkdirSync(imageDir);
  writeFileSync(join(imageDir, "agent.mjs"), javascript);
  for (const name of ["agent.py", "forked.py"]) writeFileSync(join(imageDir, name), python);
  mounts = await openSlotMounts(join(root, "warm"), driver);
  templateMounts = await openSlotMounts(join(root, "templates"), driver);
  template = await startTemplate();
});

afterEach(async () => {
  await pool.close();
  expect(readdirSync(join(root, "warm"))).toEqual([]);
});

afterAll(async () => {
  await template.kill();
  await templateMounts.remove(templateMounts.pathOf("template"));
  await Promise.all([mounts.close(), templateMounts.close()]);
  expect(readFileSync("/proc/self/mountinfo", "utf8")).not.toContain(root);
  rmSync(root, { recursive: true });
});

function openPool(o: Partial<SandboxPoolOptions> = {}): void {
  const usual = { mounts, preloadMax: 0, turnsMax: 2, keepMs: 60_000, hasFreeMemory: () => true, log };
  pool = createSandboxPool({ ...usual, ...o });
}

async function startTemplate(): Promise<SandboxTemplate> {
  const { argv, readOnlyPaths } = languages["forked.py"];
  const slotDir = await templateMounts.make("template");
  const spec = { argv, env: { SECRET: "one" }, imageDir, readOnlyPaths, network: "none", limits: {} } as const;
  const made = (await driver.prepareTemplate({ ...spec, slotDir, mounts: templateMounts }))!;
  for (const said of [made.stdout, made.stderr]) said.resume();
  const { signal } = new AbortController();
  expect(await loadTemplate(made, { ...entryOf("forked.py"), signal })).toBeUndefined();
  return made;
}

interface Asked {
  readonly file?: File;
  readonly prompt?: string;
  readonly sessionId?: string;
  readonly fence?: number;
  readonly head?: string | null;
  readonly group?: string;
  readonly secret?: string;
  /** How many processes its guest reports to keep. */
  readonly kept?: number;
}

function recipe(o: Asked = {}): SandboxRecipe & { session: NonNullable<SandboxRecipe["session"]> } {
  const { file = "agent.mjs", group = "version", secret = "one" } = o;
  const { argv, readOnlyPaths } = languages[file];
  return {
    key: [group, file, secret].join(" "),
    group,
    shared: new Map([["SECRET", secret]]),
    session: { sessionId: o.sessionId ?? "his", fence: o.fence ?? 1, headSnapshotId: o.head ?? null },
    async start(slot, { isPreload }) {
      const rest = { assignTo: () => undefined, release: () => undefined };
      if (file === "forked.py") {
        return { sandbox: await template.fork(slot), ...rest };
      }
      const env = { SECRET: secret };
      const spec = { argv, env, imageDir, readOnlyPaths, network: "none", limits: {} } as const;
      const sandbox = await driver.prepare({ ...spec, ...slot });
      if (isPreload) preloadAgent({ channel: sandbox.channel, ...entryOf(file) });
      return { sandbox, ...rest };
    },
  };
}

const entryOf = (file: File) => ({ entry: { file, export: "agent" }, imageDir: "/agent", sdk: "pi" });

interface Served {
  readonly answer: { readonly pid: number; readonly turns: number; readonly files: string[]; readonly secret: string };
  readonly turnDir: string;
  /** Why it could not be stopped; undefined if it was. */
  readonly why: string | undefined;
  readonly rested: PendingKeep | undefined;
  readonly taken: ServingSandbox;
}

/** Runs one turn as a worker does, until its sandbox is stopped or dead. */
async function serve(o: Asked = {}): Promise<Served> {
  const wanted = recipe(o);
  const taken = (await pool.beginTurn(wanted))!;
  const { sandbox } = taken.started;
  const turnDir = join(root, `turn-${(turnDirs += 1)}`);
  for (const folder of ["workspace", "state"]) mkdirSync(join(turnDir, folder), { recursive: true });
  writeFileSync(join(turnDir, "workspace", o.head ?? "first"), "");
  expect(await waitForGuest(sandbox.channel)).toBe(true);
  await sandbox.claim(turnDir);
  const { file = "agent.mjs", prompt = "tell" } = o;
  const context = { sessionId: "s", messageId: "m", attempt: 1, parts: [], metadata: {}, history: [], answers: {} };
  const ending = await runTurn({
    channel: sandbox.channel,
    exited: sandbox.exited,
    request: {
      ...entryOf(file),
      workspace: "/workspace",
      prompt,
      again: true,
      context: { ...context, operationKey: "m", traceparent: "" },
    },
    timeoutMs: 20_000,
    signal: new AbortController().signal,
    beforeCall: () => Promise.resolve(),
    onFrame: () => undefined,
  });
  const part = ending.kind === "completed" ? ending.parts[0] : undefined;
  const why = await sandbox.rest!(o.kept);
  if (why !== undefined) await taken.pooled.end();
  const ended = pool.endTurn(wanted, { isPreloadable: true, rested: why === undefined ? taken : undefined });
  const rested = why === undefined ? ended : undefined;
  if (why !== undefined) ended!.discard();
  const answer = JSON.parse(part?.type === "text" ? part.text : JSON.stringify(ending)) as Served["answer"];
  return { answer, turnDir, why, rested, taken };
}

/** Runs a turn and records it with `head`. */
async function complete(head: string, o: Asked = {}): Promise<Served> {
  const served = await serve(o);
  expect(served.why).toBeUndefined();
  served.rested!.confirm(head);
  return served;
}

/** The same for an agent that is not kept when it is stopped in the middle of a write: another process serves again. */
async function completeInTheEnd(head: string, o: Asked): Promise<Served> {
  for (let tries = 1; tries < 20; tries += 1) {
    const served = await serve(o);
    if (served.why === undefined) return (served.rested!.confirm(head), served);
    expect(served.why).toMatch(/still open/);
  }
  return await complete(head, o);
}

describe.each(Object.keys(languages) as File[])("%s", (file) => {
  test("one process serves the turns of its session, each with its own workspace, and no other session", async () => {
    openPool({ reviewEveryMs: 10 });
    const first = await complete("a", { file });
    const hers = await complete("x", { file, sessionId: "hers" });
    const second = await complete("b", { file, fence: 2, head: "a" });
    expect(second.answer).toMatchObject({ pid: first.answer.pid, turns: 2 });
    expect(second.answer.files.sort()).toEqual(["a", "input", "output", "turn"]);
    expect(hers.answer.turns).toBe(1);
    expect(readFileSync(join(first.turnDir, "workspace/turn"), "utf8")).toBe("1");
    expect(readdirSync(join(first.turnDir, "workspace")).sort()).toEqual(["first", "turn"]);
    expect(pool.counts).toMatchObject({ kept: 2, reused: 1 });
  });
});

test.each<[File, string, RegExp]>([
  ["agent.mjs", "daemon", /a process that the agent has started still runs/],
  ["agent.mjs", "open", /still open/],
  ["agent.mjs", "home", /still open/],
  ["agent.py", "mapped", /still open/],
  ["agent.py", "flying", /still open/],
  ["forked.py", "mapped", /still open/],
  ["forked.py", "flying", /still open/],
])("%s: %s ends with its turn", async (file, prompt, why) => {
  openPool();
  expect((await serve({ file, prompt })).why).toMatch(why);
  expect(pool.counts.kept).toBe(0);
});

test("a process that the guest keeps is stopped with it, and is there in the next turn", async () => {
  openPool({ reviewEveryMs: 10 });
  const first = await complete("a", { prompt: "keeps", kept: 1 });
  expect(await first.taken.pooled.isUnusable()).toBe(false);
  const second = await complete("b", { prompt: "usesKept", kept: 1, fence: 2, head: "a" });
  expect(second.answer).toMatchObject({ pid: first.answer.pid, turns: 2 });
  // One process more than is kept, and one less.
  const third = await serve({ prompt: "daemon", kept: 1, fence: 3, head: "b" });
  expect(third.why).toMatch(/a process that the agent has started still runs/);
  expect((await serve({ prompt: "tell", kept: 1, sessionId: "hers" })).why).toMatch(/still runs/);
});

test("an agent that still runs at the end of its turn writes nothing between turns", async () => {
  openPool();
  // It is kept only if it is not in the middle of a write when it is stopped.
  const { turnDir, rested } = await serve({ prompt: "later" });
  rmSync(join(turnDir, "workspace/late"), { force: true });
  rested?.confirm("a");
  (await serve({ fence: 2, head: "a" })).rested?.discard();
  expect(readdirSync(join(turnDir, "workspace")).sort()).toEqual(["first", "turn"]);
});

test.each<File>(["agent.py", "forked.py"])(
  "%s: a process that wakes itself cannot reach the session, and serves no further turn",
  async (file) => {
    openPool();
    const { turnDir, taken } = await completeInTheEnd("a", { file, prompt: "alarm" });
    rmSync(join(turnDir, "workspace/late"), { force: true });
    await waitUntil(() => taken.pooled.isUnusable(), { what: "the agent to write where the next workspace would be" });
    expect(readdirSync(join(turnDir, "workspace")).sort()).toEqual(["first", "turn"]);
    expect((await complete("b", { file, fence: 2, head: "a" })).answer.turns).toBe(1);
  },
);

test.each(["compute", "nap"])("a process that wakes itself is ended before a turn comes: %s", async (prompt) => {
  openPool({ reviewEveryMs: 10 });
  const { taken, rested } = await serve({ file: "agent.py", prompt });
  // One that has already woken itself cannot rest, and is ended at once.
  rested?.confirm("a");
  expect((await taken.started.sandbox.exited).signal).toBe("SIGKILL");
  await waitUntil(() => pool.counts.kept === 0, { what: "the sandbox to be forgotten" });
});

test.each<[string, Asked]>([
  ["a claim that came between", { fence: 3, head: "a" }],
  ["a head that a client has moved", { fence: 2, head: "moved" }],
  ["a changed credential", { fence: 2, head: "a", secret: "new" }],
  ["another version", { fence: 2, head: "a", group: "next" }],
])("after %s the session's next turn has a new process", async (_what, next) => {
  openPool();
  const { taken } = await complete("a");
  expect((await complete("b", next)).answer).toMatchObject({ turns: 1, secret: next.secret ?? "one" });
  expect((await taken.started.sandbox.exited).signal).toBe("SIGKILL");
});

test("a replaced credential ends all kept sandboxes of the version that have the old one", async () => {
  openPool();
  const { taken } = await complete("a");
  await complete("x", { sessionId: "hers", secret: "new" });
  expect((await taken.started.sandbox.exited).signal).toBe("SIGKILL");
  expect(pool.counts.kept).toBe(1);
});

test("the next turn waits until the last one is recorded, and gets a new sandbox if it was not", async () => {
  openPool();
  const first = await serve();
  const second = serve({ fence: 2, head: "a" });
  first.rested!.confirm("a");
  const { answer, rested } = await second;
  expect(answer.turns).toBe(2);
  const third = serve({ fence: 3, head: "b" });
  rested!.discard();
  expect((await third).answer.turns).toBe(1);
});

test("kept sandboxes and turns never exceed the slots; the one kept for longest is evicted first", async () => {
  openPool({ turnsMax: 2 });
  const first = await complete("a");
  await complete("x", { sessionId: "hers" });
  expect(pool.counts.kept).toBe(2);
  await complete("y", { sessionId: "theirs" });
  expect((await first.taken.started.sandbox.exited).signal).toBe("SIGKILL");
  expect(pool.counts.kept).toBe(2);
});

test("a dead sandbox is forgotten, and none is kept while memory is short or for too long", async () => {
  let hasFreeMemory = true;
  openPool({ hasFreeMemory: () => hasFreeMemory, reviewEveryMs: 10 });
  const { taken } = await complete("a");
  process.kill(taken.started.sandbox.pid, "SIGKILL");
  await waitUntil(() => pool.counts.kept === 0, { what: "the dead sandbox to be forgotten" });
  await complete("b");
  hasFreeMemory = false;
  await waitUntil(() => pool.counts.kept === 0, { what: "the sandbox to make room" });
  await pool.close();
  openPool({ keepMs: 0, reviewEveryMs: 10 });
  await complete("c");
  await waitUntil(() => pool.counts.kept === 0, { what: "the sandbox to have rested long enough" });
});

test("all that waits can be ended at once", async () => {
  openPool();
  const { taken } = await complete("a");
  expect([pool.endWaiting(), pool.counts.kept, pool.endWaiting()]).toEqual([true, 0, false]);
  expect((await taken.started.sandbox.exited).signal).toBe("SIGKILL");
  expect((await serve({ fence: 2, head: "a" })).answer.turns).toBe(1);
});

test("a sandbox that is paused after the pool was closed is ended", async () => {
  openPool();
  const serving = serve({ prompt: "tell" });
  await waitUntil(() => pool.counts.misses === 1, { what: "the turn to begin" });
  await pool.close();
  const { rested, taken } = await serving;
  rested?.confirm("a");
  expect((await taken.started.sandbox.exited).signal).toBe("SIGKILL");
  expect(pool.counts.kept).toBe(0);
});
