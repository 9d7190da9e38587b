// The platform under measurement, of this checkout or another one, with its agents. It can be started several times on
// one data directory, each time with other settings.

import { mkdtemp, readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { createClient, type Client } from "@dari/client";
import { deploy } from "../../conversation.ts";
import { removeDirectory } from "../../remove-directory.ts";
import { startStandalone } from "../../standalone-process.ts";
import type { Api } from "../one-turn.ts";
import { filesOfAgent, startModel, type AgentName, type Model } from "./agents.ts";
import type { CpuMeter } from "./cpu-meter.ts";
import { readAvailable, readCpu, readMemory, type CpuReading, type MemoryReading } from "./processes.ts";

export type Settings = Readonly<Record<string, string>>;

/** The processes of a started platform. */
export interface Processes {
  /** Returns the milliseconds that everything has used so far, and those of each lasting process. */
  readCpu(): { readonly totalMs: number; readonly byProcess: CpuReading };
  readMemory(): MemoryReading;
  /** Returns the memory that the machine has left, in MiB; much cheaper than all of `readMemory`. */
  readAvailable(): number;
  /** Resolves when everything together uses little of a processor, because all turns are cleared up, or after 20 s. */
  settled(): Promise<void>;
}

export interface RunningPlatform extends Processes, AsyncDisposable {
  readonly api: Api;
  readonly client: Client;
  readonly dataDir: string;
  agentId(name: AgentName): string;
}

export interface Stage {
  readonly model: Model;
  readonly agents: readonly AgentName[];
  /** Starts the platform. The first start also deploys the agents. */
  start(settings?: Settings): Promise<RunningPlatform>;
}

export interface StageOptions {
  readonly meter: CpuMeter;
  readonly agents: readonly AgentName[];
  /** The sources of the platform. */
  readonly checkout: string;
  /** For every start. */
  readonly settings: Settings;
}

export async function openStage(stack: AsyncDisposableStack, o: StageOptions): Promise<Stage> {
  const model = stack.use(await startModel());
  const dataDir = await mkdtemp(path.join(tmpdir(), "dari-cost-"));
  stack.defer(() => removeDirectory(dataDir));
  const agentIds = new Map<AgentName, string>();
  /** An older platform may not know all that this checkout's `dari deploy` sends. */
  const deployAgent = async (api: Api, client: Client, name: AgentName): Promise<void> => {
    agentIds.set(name, (await deploy({ ...api, client }, filesOfAgent(name, model.server.url))).agentId);
  };
  return {
    model,
    agents: o.agents,
    async start(settings = {}) {
      const environment = { DARI_EGRESS_ALLOW: `127.0.0.1:${model.server.port}`, ...o.settings, ...settings };
      await using starting = new AsyncDisposableStack();
      const platform = starting.use(await startStandalone(environment, dataDir, o.meter.through, o.checkout));
      const api = { apiUrl: platform.apiUrl, apiKey: platform.apiKey };
      const client = createClient(api);
      if (agentIds.size === 0) await Promise.all(o.agents.map((name) => deployAgent(api, client, name)));
      const started = starting.move();
      // A program that is interrupted closes its stack.
      stack.use(started);
      return {
        ...processesOf(o.meter, platform.program.pid, await readPlatformPid(dataDir)),
        api,
        client,
        dataDir,
        agentId: (name) => agentIds.get(name)!,
        [Symbol.asyncDispose]: () => started.disposeAsync(),
      };
    },
  };
}

/** Returns the process that is API, worker and reconciler; others can stand above it. */
export async function readPlatformPid(dataDir: string): Promise<number> {
  const text = await readFile(path.join(dataDir, "platform.json"), "utf8");
  return (JSON.parse(text) as { pid: number }).pid;
}

const windowMs = 250;
const idleShare = 0.2;
const quietWindows = 2;
const settleWithinMs = 20_000;

/** `root`: the process that was started through the meter. */
export function processesOf(meter: CpuMeter, root: number, platform: number): Processes {
  return {
    readCpu: () => ({ totalMs: meter.read(root), byProcess: readCpu(root, platform) }),
    readMemory: () => readMemory(root, platform),
    readAvailable,
    async settled() {
      const deadline = performance.now() + settleWithinMs;
      for (let quiet = 0; quiet < quietWindows && performance.now() < deadline;) {
        const usedMs = meter.read(root);
        const startedAt = performance.now();
        await sleep(windowMs);
        const isQuiet = meter.read(root) - usedMs < idleShare * (performance.now() - startedAt);
        quiet = isQuiet ? quiet + 1 : 0;
      }
    },
  };
}
