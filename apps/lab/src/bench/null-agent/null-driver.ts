// A sandbox driver without a sandbox: an agent that answers at once in the worker's process, so that a measurement
// contains everything of a turn except its agent. The prompt can be a number of milliseconds to hold the slot for, and
// how many events and pieces of text to send during that time, evenly spaced.

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
  let [holdMs, events] = [0, 0];
  for await (const line of createInterface({ input: channel })) {
    const frame = JSON.parse(line) as { t: string; prompt?: string };
    if (frame.t === "run") {
      [holdMs, events] = numbersOf(frame.prompt);
      say({ t: "ready", protocol: 1, runtime: "none" });
      say({ t: "started" });
    } else if (frame.t === "go") {
      for (let n = 1; n <= events; n++) {
        await sleep(holdMs / events);
        say({ t: "event", name: "step", data: { n } });
        say({ t: "delta", text: `step ${n} ` });
      }
      if (holdMs > 0 && events === 0) await sleep(holdMs);
      say({ t: "result", parts: [{ type: "text", text: "ok" }] });
    }
  }
}

function numbersOf(prompt = ""): [holdMs: number, events: number] {
  const [holdMs = 0, events = 0] = prompt.split(" ").map((word) => Number(word) || 0);
  return [holdMs, events];
}
