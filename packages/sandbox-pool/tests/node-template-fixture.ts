// Forks of a Node process: real sandboxes, real guests, and an agent that reports what it sees.

import { expect } from "@jest/globals";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { guestCommand, loadTemplate, runTurn, type TurnEnding } from "@dari/harness";
import { forkModule } from "@dari/native";
import { createBwrapDriver, openSlotMounts, type SandboxTemplate } from "@dari/sandbox";
import { hasHugePages } from "@dari/testkit";
import { turnContext } from "./turn-context.ts";

const driver = createBwrapDriver();
const root = mkdtempSync(join(tmpdir(), "node-templates-"));
const imageDir = join(root, "image");
mkdirSync(imageDir);
const mounts = await openSlotMounts(join(root, "slots"), driver);
let slots = 0;

const source = readFileSync(new URL("./programs/forked-agent.mjs", import.meta.url), "utf8");
export async function closeTemplates(): Promise<void> {
  await mounts.close();
  await driver.close?.();
  rmSync(root, { recursive: true });
}

async function makeSlot(): Promise<string> {
  const slotDir = await mounts.make(`slot-${(slots += 1)}`);
  for (const folder of ["workspace", "state"]) mkdirSync(join(slotDir, folder), { recursive: true });
  return slotDir;
}

export interface Held {
  readonly template: SandboxTemplate;
  readonly why: string | undefined;
  readonly file: string;
  /** What it printed. */
  readonly stdout: Promise<string>;
}

interface HoldOptions {
  readonly env?: Record<string, string>;
  readonly node?: string;
  readonly memoryBytes?: number | undefined;
}

/** Loads an agent, and stops it for forking. */
export async function hold(code: string, o: HoldOptions = {}): Promise<Held> {
  const file = `agent-${slots}.mjs`;
  writeFileSync(join(imageDir, file), code);
  const options = { isTemplate: true, forkModule, memoryBytes: o.memoryBytes ?? 2 ** 30 };
  const guest = guestCommand("typescript", o.node ?? process.execPath, options);
  const slotDir = await makeSlot();
  const spec = {
    ...guest,
    env: { ...guest.env, ...o.env },
    imageDir,
    slotDir,
    mounts,
    network: "none",
    limits: {},
  } as const;
  const template = (await driver.prepareTemplate(spec))!;
  template.stderr.resume();
  const stdout = text(template.stdout);
  const entry = { file, export: "agent" };
  const { signal } = new AbortController();
  const why = await loadTemplate(template, { entry, imageDir: template.paths.image, sdk: "function", signal });
  return { template, why, file, stdout };
}

interface Run {
  readonly ending: TurnEnding;
  readonly answer: unknown;
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs one turn in a fork. */
export async function run({ template, file }: Held, prompt: string): Promise<Run> {
  const child = await template.fork({ slotDir: await makeSlot(), mounts });
  const [stdout, stderr] = [text(child.stdout), text(child.stderr)];
  const entry = { file, export: "agent" };
  const ending = await runTurn({
    channel: child.channel,
    exited: child.exited,
    request: {
      entry,
      imageDir: child.paths.image,
      sdk: "function",
      workspace: "/workspace",
      prompt,
      context: turnContext,
    },
    timeoutMs: 20_000,
    signal: new AbortController().signal,
    beforeCall: () => Promise.resolve(),
    onFrame: () => undefined,
  });
  await child.kill();
  const part = ending.kind === "completed" ? ending.parts[0] : undefined;
  const answer: unknown = part?.type === "text" ? JSON.parse(part.text) : undefined;
  return { ending, answer, code: (await child.exited).code, stdout: await stdout, stderr: await stderr };
}

/** Checks that each fork is a process with its own random numbers and its own end. */
export async function checkForks(node: string): Promise<void> {
  const held = await hold(source, { node });
  expect(held.why).toBeUndefined();

  const [his, hers] = [await run(held, "self"), await run(held, "self")];
  const seen = { turns: 1, cwd: "/workspace", argv: 2, execArgv: [], files: [], tmp: 0 };
  for (const { answer } of [his, hers]) expect(answer).toMatchObject(seen);
  const { pid, real } = his.answer as { pid: number; real: number };
  expect(pid).toBe(real);
  expect((hers.answer as { pid: number }).pid).not.toBe(pid);

  const drawn = [await run(held, "numbers"), await run(held, "numbers")].flatMap(({ answer }) => answer as unknown[]);
  expect(new Set(drawn).size).toBe(10);

  const works = await run(held, "works");
  const done = {
    fetched: "served",
    spawned: "spawned0",
    worker: "threaded",
    zipped: true,
    digest: 32,
    wasm: "Module",
    late: "late",
  };
  expect(works).toMatchObject({ answer: done, stdout: "said\n", stderr: "" });

  expect(await run(held, "exit")).toMatchObject({ code: 7, stdout: "exits with 7\n", stderr: "" });
  const threw = await run(held, "throws");
  expect(threw.ending).toMatchObject({ kind: "failed", failure: { code: "agent_error", message: "Error: too late" } });
  expect(threw.stderr).toMatch(/^Error: too late\n {4}at [\s\S]*\nNode\.js v/);
  const rejected = await run(held, "rejects");
  expect(rejected.ending).toMatchObject({ kind: "failed", failure: { message: "Error: not handled" } });
  const waited = await run(held, "waits");
  expect(JSON.stringify(waited.ending)).toContain("can never happen");

  await held.template.kill();
  expect(await held.stdout).toBe("loaded\nwith console\n");
}

/**
 * An agent that has a large function. Its turn tells how much bytecode there is after a call of it, and after loading
 * another one that is not called.
 */
const large = `
import { getHeapCodeStatistics, setFlagsFromString } from "node:v8";
import { runInNewContext, Script } from "node:vm";
const sizeOf = () => getHeapCodeStatistics().bytecode_and_metadata_size;
function large(given) {
  let sum = 1;
  ${"sum += given * sum;\n".repeat(2_000)}
  return sum;
}
// V8 may discard the bytecode of functions that were not called between several collections of garbage.
setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc");
for (let i = 0; i < 20; i += 1) collectGarbage();
export const agent = () => {
  const before = sizeOf();
  large(2);
  const called = sizeOf() - before;
  new Script(String(large));
  return JSON.stringify({ called, loaded: sizeOf() - before - called });
};`;

/** Checks that a fork has compiled the functions that its template has not called, if there is enough memory. */
export async function checkCompiledAhead(node: string): Promise<void> {
  const compile = async (memoryBytes: number): Promise<Record<string, number>> => {
    const held = await hold(large, { node, memoryBytes });
    expect(held.why).toBeUndefined();
    const { answer } = await run(held, "");
    await held.template.kill();
    return answer as Record<string, number>;
  };
  const [much, little] = [await compile(2 ** 30), await compile(2 ** 29)];
  expect(much["called"]).toBeLessThan(1_000);
  expect(little["called"]).toBeGreaterThan(10_000);
  for (const { loaded } of [much, little]) expect(loaded).toBeLessThan(10_000);
}

/** An agent with a heap of some 100 MiB. */
const heavy = `
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
const kept = Array.from({ length: 2_000_000 }, (_, n) => ({ n }));
export const agent = () => {
  const [, tables] = /^VmPTE:\\s+(\\d+) kB$/m.exec(readFileSync("/proc/self/status", "utf8"));
  const [, huge] = /^AnonHugePages:\\s+(\\d+) kB$/m.exec(readFileSync("/proc/self/smaps_rollup", "utf8"));
  const started = String(execFileSync("/bin/sh", ["-c", "echo $LD_PRELOAD"])).trim();
  const preloads = [process.env.LD_PRELOAD ?? "", started];
  return JSON.stringify({ kept: kept.length, tablesKiB: Number(tables), hugeKiB: Number(huge), preloads });
};`;

/** Checks that the heap of a fork needs few page tables, and that what the agent starts preloads nothing. */
export async function checkPageTables(node: string): Promise<void> {
  const held = await hold(heavy, { node });
  expect(held.why).toBeUndefined();
  const { answer } = await run(held, "");
  await held.template.kill();
  expect(answer).toMatchObject({ kept: 2_000_000, preloads: ["", ""] });
  const { tablesKiB, hugeKiB } = answer as { tablesKiB: number; hugeKiB: number };
  expect(tablesKiB).toBeLessThan(1_024);
  // On a busy machine, not all of it is done in time.
  if (hasHugePages) expect(hugeKiB).toBeGreaterThan(2 * 1_024);

  const own = await hold(heavy, { node, env: { LD_PRELOAD: "/agent/own.so" } });
  const second = await run(own, "");
  await own.template.kill();
  expect(second.answer).toMatchObject({ preloads: ["/agent/own.so", "/agent/own.so"] });
}
