// A pool that forks Python agents from templates: real sandboxes, real guests, and agents that report what they see.

import { afterAll, afterEach, beforeAll, expect } from "@jest/globals";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createRuntimes } from "@dari/builder";
import { guestCommand, preloadAgent, loadTemplate, runTurn } from "@dari/harness";
import { createLogger } from "@dari/runtime";
import { createBwrapDriver, openSlotMounts, type SlotMounts } from "@dari/sandbox";
import { createSandboxPool, type SandboxPool, type SandboxPoolOptions } from "../src/pool.ts";
import type { ServingSandbox } from "../src/pooled-sandbox.ts";
import type { SandboxRecipe, Slot } from "../src/recipe.ts";
import { turnContext } from "./turn-context.ts";

const driver = createBwrapDriver({ forkWithinMs: 2_000 });
const root = mkdtempSync(join(tmpdir(), "warm-templates-"));
const imageDir = join(root, "image");
export const logged: { readonly msg: string }[] = [];
const observe = (fields: object, msg: string): void => void logged.push({ ...fields, msg });
const log = createLogger({ name: "test", level: "error", observe });
let mounts: SlotMounts;
export let pool: SandboxPool;

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

/** Opens what the tests of a file share, and closes the pool after each of them. */
export function useTemplatePool(): void {
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
}

export function openPool(o: Partial<SandboxPoolOptions> = {}): SandboxPool {
  const limits = { preloadMax: 2, turnsMax: 4, keepMs: 60_000, refillDelayMs: 0 };
  const usual = { mounts, hasFreeMemory: () => true, log, ...limits };
  return (pool = createSandboxPool({ ...usual, longTurnMs: Infinity, ...o }));
}

const runtimes = createRuntimes({ cacheDir: join(root, "runtimes"), env: process.env, allowNearest: true });
export const pythons = (await runtimes.list())
  .filter(({ language }) => language === "python")
  .map(({ version }) => version);

async function commands(version: string | undefined) {
  const python = await runtimes.resolve("python", version);
  const guest = guestCommand("python", python.command);
  const template = guestCommand("python", python.command, { isTemplate: true });
  return { guest, template, readOnlyPaths: [...guest.readOnlyPaths, ...python.readOnlyPaths] };
}

/** `version`: Python version (default: the newest of this machine). */
export function recipe(
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
export async function told(taken: ServingSandbox | undefined, name = "tell"): Promise<Told> {
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
export async function coldTurn(wanted: SandboxRecipe): Promise<void> {
  expect(await pool.beginTurn(wanted)).toBeUndefined();
  pool.endTurn(wanted, { isPreloadable: true });
}

export async function turn(wanted: SandboxRecipe, name?: string): Promise<Told> {
  const said = await told(await pool.beginTurn(wanted), name);
  pool.endTurn(wanted, { isPreloadable: true });
  return said;
}
