// Forks of one process: real sandboxes, real guests, and an agent that reports what it sees.

import { expect } from "@jest/globals";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { guestCommand, loadTemplate, runTurn, type RehearsalObstacle, type TurnEnding } from "@dari/harness";
import { forkModule } from "@dari/native";
import { createBwrapDriver, openSlotMounts, type SandboxTemplate } from "@dari/sandbox";
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

/** Makes a directory of this folder a part of the agents' image. */
export function install(directory: string, at: string): void {
  cpSync(new URL(directory, import.meta.url), join(imageDir, at), { recursive: true });
}

async function makeSlot(): Promise<string> {
  const slotDir = await mounts.make(`slot-${(slots += 1)}`);
  for (const folder of ["workspace", "state"]) mkdirSync(join(slotDir, folder), { recursive: true });
  return slotDir;
}

export interface Held {
  readonly template: SandboxTemplate;
  readonly why: string | undefined;
  /** Why its SDK was not rehearsed. */
  readonly notRehearsed: RehearsalObstacle | undefined;
  readonly file: string;
  /** What it printed. */
  readonly stdout: Promise<string>;
}

export interface HoldOptions {
  readonly env?: Readonly<Record<string, string>> | undefined;
  /** Default: this process's Node. */
  readonly node?: string | undefined;
  /** The command of a Python, for an agent in that language. */
  readonly python?: string | undefined;
  /** What the interpreter reads. */
  readonly readOnlyPaths?: readonly string[];
}

/** Loads an agent, and stops it for forking. */
export async function hold(code: string, o: HoldOptions = {}): Promise<Held> {
  const file = `agent${slots}.${o.python === undefined ? "mjs" : "py"}`;
  writeFileSync(join(imageDir, file), code);
  const options = { isTemplate: true, forkModule, memoryBytes: 2 ** 30 };
  const guest =
    o.python === undefined
      ? guestCommand("typescript", o.node ?? process.execPath, options)
      : guestCommand("python", o.python, options);
  const slotDir = await makeSlot();
  const usual = { imageDir, slotDir, mounts, network: "none", limits: {} } as const;
  const readOnlyPaths = [...guest.readOnlyPaths, ...(o.readOnlyPaths ?? [])];
  const spec = { ...guest, ...usual, env: o.env ?? {}, readOnlyPaths };
  const template = (await driver.prepareTemplate(spec))!;
  template.stderr.resume();
  const stdout = text(template.stdout);
  const entry = { file, export: "agent" };
  const { signal } = new AbortController();
  let notRehearsed: RehearsalObstacle | undefined;
  const onNotRehearsed = (obstacle: RehearsalObstacle): void => void (notRehearsed = obstacle);
  const what = { entry, imageDir: template.paths.image, sdk: "function", signal, onNotRehearsed };
  const why = await loadTemplate(template, what);
  return { template, why, notRehearsed, file, stdout };
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
