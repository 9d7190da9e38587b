// A sandbox driver without a sandbox: an agent that answers at once in the worker's process, so that a measurement
// contains everything of a turn except its agent. The prompt can be a number of milliseconds to hold the slot for, how
// many events and pieces of text to send during that time, evenly spaced, how many tool calls to report, and in how
// many steps to do that.

import { duplexPair, Readable, type Duplex } from "node:stream";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import type { Guarantees, Sandbox, SandboxDriver, SandboxExit, SandboxSpec } from "@dari/sandbox";

export const nullGuarantees: Guarantees = {
  isolated: false,
  filesystem: "host",
  users: "shared",
  processes: "group",
  network: "not_enforced",
  limits: {
    memory: "none",
    processes: "none",
    cpu: "none",
    openFiles: "none",
    fileSize: "none",
    tmpSize: "none",
    disk: "none",
  },
  notes: ["no agent is run at all"],
};

export function createNullDriver(): SandboxDriver {
  return {
    name: "process",
    canFork: false,
    canRest: false,
    canMountWhileRunning: false,
    picksHostUser: false,
    probe: () => Promise.resolve({ ok: true, guarantees: nullGuarantees }),
    prepare: (spec) => Promise.resolve(startGuest(spec)),
    prepareTemplate: () => Promise.resolve(undefined),
  };
}

function startGuest(spec: SandboxSpec): Sandbox {
  const [host, guest] = duplexPair();
  const { promise: exited, resolve: exit } = Promise.withResolvers<SandboxExit>();
  void answer(guest).catch(() => undefined);
  return {
    channel: host,
    stdout: Readable.from([]),
    stderr: Readable.from([]),
    paths: { workspace: `${spec.slotDir}/workspace`, state: `${spec.slotDir}/state`, image: spec.imageDir },
    pid: process.pid,
    exited,
    claim: () => Promise.resolve(),
    kill() {
      guest.destroy();
      exit({ code: null, signal: "SIGKILL" });
      return Promise.resolve();
    },
    collect: () => Promise.resolve({}),
  };
}

/** Answers as the guest does in the protocol, for turns that never fail. */
async function answer(channel: Duplex): Promise<void> {
  const say = (frame: unknown): void => void channel.write(`${JSON.stringify(frame)}\n`);
  let work = workOf();
  for await (const line of createInterface({ input: channel })) {
    const frame = JSON.parse(line) as { t: string; prompt?: string };
    if (frame.t === "run") {
      work = workOf(frame.prompt);
      say({ t: "ready", protocol: 1, runtime: "none" });
      say({ t: "started" });
    } else if (frame.t === "go") {
      await doWork(work, say);
      say({ t: "result", parts: [{ type: "text", text: "ok" }] });
    }
  }
}

interface Work {
  readonly holdMs: number;
  readonly events: number;
  readonly calls: number;
  readonly steps: number;
}

function workOf(prompt = ""): Work {
  const [holdMs = 0, events = 0, calls = 0, steps = 1] = prompt.split(" ").map((word) => Number(word) || 0);
  return { holdMs, events, calls, steps: Math.max(steps, events, calls) };
}

async function doWork({ holdMs, events, calls, steps }: Work, say: (frame: unknown) => void): Promise<void> {
  const act = (type: string, data: object): void => say({ t: "activity", type, data: { ...data, agent: "none" } });
  if (calls > 0) act("model.request_started", { ordinal: 1, model: "none" });
  for (let n = 1; n <= steps; n++) {
    if (holdMs > 0) await sleep(holdMs / steps);
    if (n <= events) {
      say({ t: "event", name: "step", data: { n, at: Date.now() } });
      say({ t: "delta", text: `step ${n} ` });
    }
    if (n > calls) continue;
    const call = { call_id: `call_${n}`, name: "read_file" };
    act("tool.call_requested", { ...call, kind: "function", arguments: { path: `src/file-${n}.ts`, lines: [1, 200] } });
    act("tool.call_completed", { ...call, result: fileText, is_error: false, duration_ms: 1 });
  }
  if (calls > 0) act("model.request_completed", { ordinal: 1, model: "none", duration_ms: 1 });
}

/** What a tool of these agents returns. */
const fileText = 'export const answer = "forty-two";\n'.repeat(12);
