// The agents that leave canaries: one of each organization in each language, loaded once and forked for each turn, by
// the worker's own path without API and database.

import { randomBytes } from "node:crypto";
import { chmod, chown, copyFile, mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { createRuntimes } from "@dari/builder";
import { guestCommand, loadTemplate, runTurn, type Language, type RunRequest, type TurnEnding } from "@dari/harness";
import { forkModule } from "@dari/native";
import { createBwrapDriver, hostUserRange, openSlotMounts, type Sandbox, type SandboxSpec } from "@dari/sandbox";
import { machineEnvironment } from "../config.ts";

export interface Turn {
  readonly number: number;
  /** The name of its slot. An earlier turn may have had it. */
  readonly slot: string;
  readonly searchesMemory: boolean;
  /** With it, the agent ends its process instead of answering. */
  readonly exitCode: number | undefined;
}

export interface TurnReport {
  readonly code: number | null;
  /** What the agent answered. */
  readonly report?: {
    readonly found: string[];
    readonly draws: string[];
    readonly pid: number;
    readonly state: string;
  };
  /** For a turn without report: how it ended. */
  readonly ending: string;
}

export interface CanaryAgent {
  /** Organization and language. */
  readonly name: string;
  readonly language: Language;
  run(turn: Turn): Promise<TurnReport>;
  close(): Promise<void>;
}

const organizations = ["acme", "umbrella"];
const files: Readonly<Record<Language, string>> = { typescript: "canary.mjs", python: "canary.py" };
const never = new AbortController().signal;

interface Stage {
  readonly dir: string;
  readonly driver: ReturnType<typeof createBwrapDriver>;
  readonly mounts: Awaited<ReturnType<typeof openSlotMounts>>;
  readonly runtimes: ReturnType<typeof createRuntimes>;
  readonly close: () => Promise<void>;
}

export interface Canaries {
  readonly agents: readonly CanaryAgent[];
  close(): Promise<void>;
}

/** Loads the agents. @throws if one cannot be forked here */
export async function openCanaries(): Promise<Canaries> {
  const stage = await openStage();
  const agents: CanaryAgent[] = [];
  const close = async (): Promise<void> => {
    for (const agent of agents) await agent.close();
    await stage.close();
  };
  try {
    for (const language of ["typescript", "python"] as const) {
      for (const [index, organization] of organizations.entries()) {
        agents.push(await openAgent(stage, language, organization, index));
      }
    }
    return { agents, close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function openStage(): Promise<Stage> {
  const dir = await mkdtemp(path.join(tmpdir(), "dari-forks-"));
  // Host users of organizations read the agents.
  await chmod(dir, 0o755);
  const driver = createBwrapDriver({ ahead: true });
  const mounts = await openSlotMounts(path.join(dir, "slots"), driver);
  await mkdir(path.join(dir, "agents"));
  for (const file of Object.values(files)) {
    await copyFile(new URL(`../../tests/agents/canary/${file}`, import.meta.url), path.join(dir, "agents", file));
  }
  const runtimes = createRuntimes({
    cacheDir: path.join(dir, "runtimes"),
    env: machineEnvironment(),
    allowNearest: true,
  });
  const close = async (): Promise<void> => {
    await mounts.close();
    await driver.close?.();
    await rm(dir, { recursive: true, force: true });
  };
  return { dir, driver, mounts, runtimes, close };
}

async function openAgent(
  { dir, driver, mounts, runtimes }: Stage,
  language: Language,
  organization: string,
  index: number,
): Promise<CanaryAgent> {
  const known = (await runtimes.list()).filter((one) => one.language === language).map((one) => one.version);
  const interpreter = await runtimes.resolve(language, language === "python" ? known.at(-1) : process.versions.node);
  const guest = guestCommand(language, interpreter.command, { isTemplate: true, forkModule, memoryBytes: 2 ** 30 });
  const name = `${organization}-${language}`;
  const range = hostUserRange();
  const hostUser = process.getuid?.() === 0 && range !== undefined ? range.first + index : undefined;
  const slotDir = await mounts.make(name);
  const spec: SandboxSpec = {
    argv: guest.argv,
    readOnlyPaths: [...guest.readOnlyPaths, ...interpreter.readOnlyPaths],
    env: { ORGANIZATION: organization },
    imageDir: path.join(dir, "agents"),
    slotDir,
    mounts,
    hostUser,
    network: { policy: { mode: "off", rules: [] }, onConnection: () => {} },
    limits: { memoryBytes: 2 ** 30, processes: 128, openFiles: 4_096 },
  };
  const template = await driver.prepareTemplate(spec);
  if (template === undefined) throw new Error("this machine has no way to fork an agent");
  for (const stream of [template.stdout, template.stderr]) stream.resume();
  const close = async (): Promise<void> => {
    await template.kill();
    await mounts.remove(slotDir);
  };
  const entry = { file: files[language], export: "agent" };
  const what = { entry, imageDir: template.paths.image, sdk: "function" };
  const why = await loadTemplate(template, { ...what, signal: never });
  if (why !== undefined) {
    await close();
    throw new Error(`${name} cannot be forked: ${why}`);
  }
  return {
    name,
    language,
    close,
    async run(turn) {
      const turnDir = path.join(dir, `turn-${turn.number}`);
      await makeTurnDir(turnDir, hostUser);
      const childSlot = await mounts.make(turn.slot);
      try {
        const sandbox = await template.fork({ slotDir: childSlot, mounts });
        return await runIn(sandbox, { ...what, prompt: promptOf(turn), claim: () => sandbox.claim(turnDir) });
      } finally {
        await mounts.remove(childSlot);
        await rm(turnDir, { recursive: true, force: true });
      }
    },
  };
}

async function makeTurnDir(dir: string, user: number | undefined): Promise<void> {
  for (const folder of ["workspace", "state"]) {
    await mkdir(path.join(dir, folder), { recursive: true });
    if (user !== undefined) await chown(path.join(dir, folder), user, user);
  }
}

function promptOf({ searchesMemory, exitCode }: Turn): string {
  const canary = `dari-canary-${randomBytes(16).toString("hex")}`;
  return JSON.stringify({ canary, searchesMemory, exitCode });
}

async function runIn(
  sandbox: Sandbox,
  o: Pick<RunRequest, "entry" | "imageDir" | "sdk" | "prompt"> & { readonly claim: () => Promise<void> },
): Promise<TurnReport> {
  const { claim, ...request } = o;
  for (const stream of [sandbox.stdout, sandbox.stderr]) stream.resume();
  const ending = await runTurn({
    channel: sandbox.channel,
    exited: sandbox.exited,
    request: { ...request, workspace: sandbox.paths.workspace, context },
    timeoutMs: 60_000,
    signal: never,
    beforeCall: claim,
    onFrame: () => undefined,
  });
  await sandbox.kill();
  const { code } = await sandbox.exited;
  const report = reportOf(ending);
  return { code, ...(report && { report }), ending: JSON.stringify(ending).slice(0, 2_000) };
}

function reportOf(ending: TurnEnding): TurnReport["report"] {
  const part = ending.kind === "completed" ? ending.parts[0] : undefined;
  return part?.type === "text" ? (JSON.parse(part.text) as NonNullable<TurnReport["report"]>) : undefined;
}

const context = {
  sessionId: "ses_forks",
  messageId: "msg_forks",
  attempt: 1,
  parts: [],
  metadata: {},
  history: [],
  operationKey: "msg_forks",
  traceparent: "00-00000000000000000000000000000001-0000000000000001-01",
  answers: {},
};
