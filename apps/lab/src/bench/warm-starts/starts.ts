// Times one start of an agent in each way: bare, in a new sandbox, and in a preloaded one.

import { spawn } from "node:child_process";
import { mkdir, rm } from "node:fs/promises";
import path from "node:path";
import type { Duplex, Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { createFilesystemBlobStore, type BlobStore } from "@dari/blobs";
import { loadTemplate, runTurn, type Entry, type ProcessExit, type RunRequest } from "@dari/harness";
import type { Sandbox, SandboxDriver, SandboxSpec, SandboxTemplate, SlotMounts } from "@dari/sandbox";
import { defaultWorkspaceLimits, emptyTree, openDisks, save, type Disk, type Disks, type Tree } from "@dari/workspace";
import type { Agent } from "./agents.ts";

/** Milliseconds from the start, or from the claim. */
export interface Times {
  /** When the agent's first output arrived. */
  readonly firstByte: number;
  /** Bare: when the process has ended. Otherwise when it is dead and its changes are stored. */
  readonly end: number;
}

export interface Stage {
  readonly dir: string;
  readonly driver: SandboxDriver;
  readonly mounts: SlotMounts;
  readonly disks: Disks;
  readonly store: BlobStore;
}

export async function openStage(dir: string, driver: SandboxDriver, mounts: SlotMounts): Promise<Stage> {
  const disks = await openDisks({ dir: path.join(dir, "disks"), maxBytes: 1024 ** 3 });
  await mkdir(path.join(dir, "turns"));
  return { dir, driver, mounts, disks, store: createFilesystemBlobStore({ root: path.join(dir, "store") }) };
}

let count = 0;
const fresh = (stage: Stage, kind: string): string => path.join(stage.dir, kind, String(count++));
const never = new AbortController().signal;

/** `entry`: replaces the builder's entry. */
export async function startBare(stage: Stage, agent: Agent, entry: Entry = agent.entry): Promise<Times> {
  const workspace = fresh(stage, "turns");
  await mkdir(workspace);
  const [command = "", ...args] = agent.guest.argv;
  const startedAt = performance.now();
  const stdio = ["ignore", "pipe", "pipe", "pipe"] as const;
  const child = spawn(command, args, { env: { HOME: workspace }, cwd: workspace, stdio: [...stdio] });
  const exited = new Promise<ProcessExit>((resolve, reject) => {
    child.once("error", reject).once("close", (code, signal) => resolve({ code, signal }));
  });
  const [, stdout, stderr, channel] = child.stdio as unknown as [null, Readable, Readable, Duplex];
  for (const stream of [stdout, stderr]) stream.resume();
  const request = createRequest(agent, { imageDir: agent.imageDir, workspace, entry });
  const firstByte = (await runTurnIn({ channel, exited }, request)) - startedAt;
  channel.destroy();
  await exited;
  const end = performance.now() - startedAt;
  await rm(workspace, { recursive: true });
  return { firstByte, end };
}

/** A session's turns, each after the last one, cold or warm; like a worker's, without the database. */
export interface Conversation {
  cold(): Promise<Times>;
  /** Runs in the preloaded sandbox. Another one is preloaded once `refill` has resolved. */
  warm(): Promise<Times>;
  refill(): Promise<void>;
  /** Runs in a sandbox that is forked for it. */
  forked(): Promise<Times>;
  /** Ends the preloaded sandbox. */
  close(): Promise<void>;
}

interface Obtained {
  readonly sandbox: Sandbox;
  /** For a loaded agent: resolves when the turn's files are mounted. */
  readonly claimed?: Promise<void>;
}

export function openConversation(stage: Stage, agent: Agent): Conversation {
  let head: Tree = emptyTree;
  let waiting: { sandbox: Sandbox; slotDir: string } | undefined;
  let template: Promise<Template> | undefined;
  async function turn(startedAt: number, obtain: (dir: string) => Promise<Obtained>): Promise<Times> {
    const disk = await openDisk(stage, head);
    const { sandbox, claimed } = await obtain(disk.dir);
    const { workspace, image: imageDir } = sandbox.paths;
    const firstByte = (await runTurnIn(sandbox, createRequest(agent, { imageDir, workspace }), claimed)) - startedAt;
    await sandbox.kill();
    head = await store(stage, disk, head);
    const end = performance.now() - startedAt;
    await disk.keep(head);
    await rm(disk.dir, { recursive: true, force: true });
    return { firstByte, end };
  }
  return {
    cold: () =>
      turn(performance.now(), async (slotDir) => {
        const sandbox = await stage.driver.prepare(createSpec(agent, slotDir));
        await drained(sandbox).claim();
        return { sandbox };
      }),
    async warm() {
      const { sandbox, slotDir } = waiting!;
      waiting = undefined;
      const startedAt = performance.now();
      const times = await turn(startedAt, async (dir) => {
        if (!(await stage.mounts.isUntouched(slotDir))) throw new Error("the agent wrote before its turn");
        return { sandbox, claimed: sandbox.claim(dir) };
      });
      await stage.mounts.remove(slotDir);
      return times;
    },
    async forked() {
      const slotDir = await stage.mounts.make(String(count++));
      const times = await turn(performance.now(), async (dir) => {
        const sandbox = await fork(slotDir);
        return { sandbox, claimed: sandbox.claim(dir) };
      });
      await stage.mounts.remove(slotDir);
      return times;
    },
    async refill() {
      const slotDir = await stage.mounts.make(String(count++));
      const sandbox = await fork(slotDir);
      await untilLoaded(sandbox.channel);
      waiting = { sandbox, slotDir };
    },
    async close() {
      await waiting?.sandbox.kill();
      if (waiting !== undefined) await stage.mounts.remove(waiting.slotDir);
      await (await template)?.end();
    },
  };

  async function fork(slotDir: string): Promise<Sandbox> {
    template ??= openTemplate(stage, agent);
    return drained(await (await template).sandbox.fork({ slotDir, mounts: stage.mounts }));
  }
}

interface Template {
  readonly sandbox: SandboxTemplate;
  end(): Promise<void>;
}

/** @throws if the agent cannot be forked */
async function openTemplate(stage: Stage, agent: Agent): Promise<Template> {
  const slotDir = await stage.mounts.make(String(count++));
  const { argv, readOnlyPaths } = agent.templateGuest;
  const spec = { ...createSpec(agent, slotDir), argv, readOnlyPaths, mounts: stage.mounts };
  const sandbox = await stage.driver.prepareTemplate(spec);
  if (sandbox === undefined) throw new Error("this machine has no way to fork an agent");
  const end = async (): Promise<void> => {
    await sandbox.kill();
    await stage.mounts.remove(slotDir);
  };
  for (const stream of [sandbox.stdout, sandbox.stderr]) stream.resume();
  const what = { entry: agent.entry, imageDir: sandbox.paths.image, sdk: agent.sdk, signal: never };
  const why = await loadTemplate(sandbox, what);
  if (why === undefined) return { sandbox, end };
  await end();
  throw new Error(`${agent.name} cannot be forked: ${why}`);
}

/** Returns the spec of a worker with default settings. */
export function createSpec(agent: Agent, slotDir: string): SandboxSpec {
  return {
    argv: agent.guest.argv,
    env: {},
    imageDir: agent.imageDir,
    readOnlyPaths: agent.guest.readOnlyPaths,
    script: agent.script,
    slotDir,
    network: { policy: { mode: "open", rules: [] }, onConnection: () => {} },
    limits: {
      memoryBytes: 4 * 1024 ** 3,
      processes: 512,
      openFiles: 4_096,
      fileBytes: 1024 ** 3,
      tmpBytes: 1024 ** 3,
      diskBytes: 10 * 1024 ** 3,
      diskFiles: 100_000,
    },
  };
}

function drained(sandbox: Sandbox): Sandbox {
  for (const stream of [sandbox.stdout, sandbox.stderr]) stream.resume();
  return sandbox;
}

async function openDisk({ disks, store, ...stage }: Stage, tree: Tree): Promise<Disk> {
  const dir = path.join(stage.dir, "turns", String(count++));
  return disks.open({ store, organizationId: "org", tree, dir, limits: defaultWorkspaceLimits });
}

/** Scans and stores the next head. */
async function store(stage: Stage, disk: Disk, before: Tree): Promise<Tree> {
  const { tree: after } = await disk.scan();
  return (await save({ store: stage.store, keyPrefix: "org/snapshots", dir: disk.dir, before, after })).tree;
}

/** Runs the turn to its end, the agent once `claimed`. Resolves with the time of its first output. */
export async function runTurnIn(
  guest: { readonly channel: Duplex; readonly exited: Promise<ProcessExit> },
  request: RunRequest,
  claimed: Promise<void> = Promise.resolve(),
): Promise<number> {
  let firstAt: number | undefined;
  const ending = await runTurn({
    channel: guest.channel,
    exited: guest.exited,
    request,
    timeoutMs: 60_000,
    signal: never,
    beforeCall: () => claimed,
    onFrame: () => void (firstAt ??= performance.now()),
  });
  if (ending.kind !== "completed" || firstAt === undefined) throw new Error(`a turn ended: ${JSON.stringify(ending)}`);
  return firstAt;
}

export function createRequest(agent: Agent, at: { imageDir: string; workspace: string; entry?: Entry }): RunRequest {
  return {
    entry: agent.entry,
    sdk: agent.sdk,
    prompt: `turn ${count}`,
    ...at,
    context: {
      sessionId: "ses_bench",
      messageId: "msg_bench",
      attempt: 1,
      parts: [{ type: "text", text: "go" }],
      metadata: {},
      history: [],
      operationKey: "msg_bench",
      traceparent: "00-00000000000000000000000000000001-0000000000000001-01",
      answers: {},
    },
  };
}

/** What the guest has sent so far stays for the turn to read. */
async function untilLoaded(channel: Duplex): Promise<void> {
  const deadline = performance.now() + 60_000;
  let received = Buffer.alloc(0);
  while (!received.includes('"loaded"')) {
    received = Buffer.concat([received, (channel.read() as Buffer | null) ?? Buffer.alloc(0)]);
    if (received.includes('"error"') || performance.now() > deadline)
      throw new Error(`an agent was not loaded: ${received}`);
    await sleep(1);
  }
  channel.unshift(received);
}
