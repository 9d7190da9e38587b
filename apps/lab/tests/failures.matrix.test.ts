// Every way a turn can fail: its code, a session that continues, nothing left behind; and the attempts of retries.

import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { openTurnQueue } from "@dari/queue";
import { createBwrapDriver, createLandlockDriver } from "@dari/sandbox";
import { describeWith, findService, isNightly, waitUntil } from "@dari/testkit";
import { deploy, ended, manifestFile, publish, send, type Published } from "../src/conversation.ts";
import { attemptDirectories, noRemains, startFleet, type Fleet } from "../src/fleet.ts";
import { processesMarked } from "../src/processes.ts";
import { openRendezvous, type Rendezvous } from "../src/rendezvous.ts";
import { playScript, resultsOf, scriptAgent, start, type ScriptManifest, type Step } from "../src/script.ts";

let fleet: Fleet;
let meeting: Rendezvous;
const agents = new Map<string, Promise<Published>>();

beforeAll(async () => {
  meeting = await openRendezvous();
  // At least half of the backoff is waited, which is long enough to observe.
  fleet = await startFleet({
    redisUrl: findService("redis")?.url,
    // No worker is killed here, so a lease that a busy machine renews late must not count as a lost worker.
    env: { DARI_BACKOFF_FIRST_MS: "400", DARI_TURN_CPU_SECONDS: "5", DARI_LEASE_MS: "30000" },
  });
}, 120_000);

afterAll(async () => {
  await meeting[Symbol.asyncDispose]();
  expect(await fleet.close()).toEqual(noRemains);
}, 120_000);

/** Starts a session of a script agent with this manifest. Each manifest is deployed once. */
async function sessionOf(manifest: ScriptManifest = {}): Promise<string> {
  const key = JSON.stringify(manifest);
  const agent = await (agents.get(key) ?? agents.set(key, deploy(fleet, scriptAgent(manifest))).get(key)!);
  return (await fleet.client.createSession(agent.agentId)).id;
}

const nothingRuns = (): Promise<unknown> =>
  waitUntil(() => fleet.workers.every(({ workDir }) => attemptDirectories(workDir).length === 0), {
    what: "the attempt's directory to be gone",
  });

interface Row {
  readonly name: string;
  readonly manifest?: ScriptManifest;
  readonly steps: readonly Step[];
  readonly code: string;
  /** Must match a part of the failure's message. */
  readonly says: RegExp;
}

/** Only drivers that isolate a turn know the processor time of all its processes. */
const isTimeBound = (await Promise.all([createBwrapDriver().probe(), createLandlockDriver().probe()])).some(
  ({ ok }) => ok,
);
const short = { timeout_seconds: 1 };
const smallHeap = { env: { NODE_OPTIONS: "--max-old-space-size=32" } };
const python = { language: "python" } as const;
const rows: readonly Row[] = [
  { name: "waits for ever", manifest: short, steps: [["forever"]], code: "timeout", says: /time limit/ },
  { name: "never yields", manifest: short, steps: [["busy"]], code: "timeout", says: /time limit/ },
  { name: "throws", steps: [["throw", "no such order"]], code: "agent_error", says: /no such order/ },
  { name: "exits with 3", steps: [["exit", 3]], code: "agent_exit", says: /3/ },
  { name: "exits with 0", steps: [["exit", 0]], code: "agent_exit", says: /0/ },
  { name: "is killed", steps: [["kill", "SIGKILL"]], code: "agent_exit", says: /SIGKILL/ },
  { name: "crashes", steps: [["kill", "SIGSEGV"]], code: "agent_exit", says: /SIGSEGV/ },
  ...(isTimeBound && isNightly()
    ? [{ name: "takes all the time", steps: [["busy"]] as Step[], code: "cpu_limit", says: /limit of processor time/ }]
    : []),
  { name: "fills its heap", manifest: smallHeap, steps: [["fill"]], code: "out_of_memory", says: /memory/ },
  { name: "answers a circle", steps: [["answer", "circular"]], code: "invalid_output", says: /circular/ },
  { name: "answers a bigint", steps: [["answer", "bigint"]], code: "invalid_output", says: /BigInt/ },
  { name: "answers a function", steps: [["answer", "function"]], code: "invalid_output", says: /function/ },
  { name: "answers a path outside", steps: [["answer", "outside"]], code: "invalid_output", says: /path/ },
  { name: "raises in Python", manifest: python, steps: [["throw", "no order"]], code: "agent_error", says: /no order/ },
  { name: "calls sys.exit in Python", manifest: python, steps: [["exit", 4]], code: "agent_exit", says: /4/ },
  { name: "calls os._exit in Python", manifest: python, steps: [["leave", 5]], code: "agent_exit", says: /5/ },
  {
    name: "is terminated in Python",
    manifest: python,
    steps: [["kill", "SIGTERM"]],
    code: "agent_exit",
    says: /SIGTERM/,
  },
  { name: "answers a Python object", manifest: python, steps: [["answer"]], code: "invalid_output", says: /JSON/ },
  {
    name: "sleeps for ever in Python",
    manifest: { ...python, ...short },
    steps: [["forever"]],
    code: "timeout",
    says: /time limit/,
  },
];

test.each(rows)("an agent that $name fails with $code", async ({ manifest, steps, code, says }) => {
  const session = await sessionOf(manifest);
  const failed = await playScript(fleet, session, [["write", "half-done.txt", "x"], ...steps]);
  expect(failed).toMatchObject({
    status: "failed",
    attempt: 1,
    files_changed: [],
    output: { parts: [], error: { code } },
  });
  expect(failed.output?.error?.message).toMatch(says);
  await nothingRuns();

  const next = await playScript(fleet, session, [["attempt"]]);
  expect(resultsOf(next)).toEqual([1]);
  expect((await fleet.client.listSessionFiles(session)).entries).toEqual([]);
  expect((await fleet.client.getSession(session)).status).toBe("idle");
});

const fillers = {
  "agent.py": `
def agent(prompt):
    held = []
    while True:
        held.append(bytes(8 * 1024 ** 2))
`,
  "agent.mjs": `
export function agent() {
  const held = [];
  for (;;) held.push(Array.from({ length: 1000 }, (_, i) => ({ i, text: "object " + i })));
}
`,
};

test.each(Object.entries(fillers))(
  "the memory in dari.yml is the limit of the turns of %s, and the failure says how to raise it",
  async (file, source) => {
    const manifest = manifestFile({ entrypoint: `${file}:agent`, runtime: { memory: "192MiB", cpus: 0.5 } });
    const { agentId } = await deploy(fleet, { ...manifest, [file]: source });
    const failed = await send(fleet, (await fleet.client.createSession(agentId)).id, "fill it");
    expect(failed.output?.error).toEqual({
      code: "out_of_memory",
      message: expect.stringMatching(
        /memory limit (is 192 MiB|\(192 MiB\)); .*raise runtime\.memory .*, up to 4 GiB here/,
      ),
    });
  },
);

test("100 MB of output complete the turn, and the log is cut with a word about it", async () => {
  const session = await sessionOf();
  const record = await playScript(fleet, session, [
    ["print", 100 * 1024 * 1024],
    ["say", "last of stdout", "last of stderr"],
  ]);
  expect(resultsOf(record)).toEqual([100 * 1024 * 1024, null]);
  const logs = await fleet.client.getMessageLogs(record.id);
  expect(logs.length).toBeGreaterThan(900_000);
  expect(logs.length).toBeLessThan(1_300_000);
  expect(logs).toMatch(/log was cut here/);
});

test("logs keep both streams, also of a failed turn", async () => {
  const record = await playScript(fleet, await sessionOf(), [
    ["say", "to stdout", "to stderr"],
    ["throw", "after both"],
  ]);
  const logs = await fleet.client.getMessageLogs(record.id);
  expect(logs).toMatch(/\[stdout\] to stdout/);
  expect(logs).toMatch(/\[stderr\] to stderr/);
  expect(logs).toMatch(/after both/);
});

describe("publishing", () => {
  const typescript = (source: string, entrypoint = "src/agent.ts:agent") => ({
    ...manifestFile({ entrypoint }),
    "src/agent.ts": source,
  });
  const good = "export function agent() { return 'ok'; }";
  test.each([
    { name: "a file that is missing", files: typescript(good, "src/none.ts:agent"), code: "entrypoint_not_found" },
    { name: "an export that is missing", files: typescript(good, "src/agent.ts:other"), code: "entrypoint_not_found" },
    { name: "an export that is no agent", files: typescript("export const agent = 7;"), code: "unsupported_export" },
    { name: "a class", files: typescript("export class agent {}"), code: "unsupported_export" },
    { name: "source with an error", files: typescript("export function agent( {"), code: "build_failed" },
    {
      name: "a Node that is not available",
      files: {
        ...manifestFile({ entrypoint: "src/agent.ts:agent", runtime: { language: "typescript", version: "18" } }),
        "src/agent.ts": good,
      },
      code: "runtime_unavailable",
    },
    {
      name: "a Python export that is missing",
      files: { ...manifestFile({ entrypoint: "agent.py:other" }), "agent.py": "def agent(prompt):\n  return ''\n" },
      code: "entrypoint_not_found",
    },
  ])("$name fails the build with $code, and the log says so", async ({ files, code }) => {
    const { version } = await publish(fleet, files);
    expect(version).toMatchObject({ status: "failed", failure: { code } });
    let log = "";
    log += await fleet.client.getBuildLogs(version.id);
    // The log does not repeat what the failure's message says.
    for (const line of version.failure!.message.split("\n")) expect(log).toContain(line);
    expect(await nothingRuns()).toBe(true);
  });

  test("a failed build leaves the version before it active", async () => {
    const first = await deploy(fleet, typescript(good));
    const second = await publish(fleet, typescript(good, "src/agent.ts:other"), first.agentId);
    expect(second.version.status).toBe("failed");
    const session = await fleet.client.createSession(first.agentId);
    expect(session.version_id).toBe(first.version.id);
    expect((await send(fleet, session.id, "hi")).output?.parts).toEqual([{ type: "text", text: "ok" }]);
  });
});

describe("retries", () => {
  const three = { max_attempts: 3 };

  test.each<{ name: string; steps: readonly Step[] }>([
    { name: "throws", steps: [["throwUntil", 3]] },
    { name: "exits", steps: [["exitUntil", 3, 1]] },
  ])("an agent that $name twice completes with its third attempt", async ({ steps }) => {
    const session = await sessionOf(three);
    const record = await playScript(fleet, session, [["write", "once.txt", "x"], ...steps, ["attempt"]]);
    expect(record).toMatchObject({ status: "completed", attempt: 3, max_attempts: 3 });
    expect(resultsOf(record).at(-1)).toBe(3);
    expect(record.files_changed).toEqual([{ path: "/once.txt", change: "created", size_bytes: 1 }]);
    const { data } = await fleet.client.listEvents(session, { limit: 200 });
    const ends = data.flatMap((event) => (event.type === "attempt.ended" ? [event.data.outcome] : []));
    expect(ends).toEqual(["retry", "retry", "completed"]);
  });

  test("an agent that always throws uses all its attempts, then the next message runs", async () => {
    const session = await sessionOf(three);
    const record = await playScript(fleet, session, [["throw", "always"]]);
    expect(record).toMatchObject({ status: "failed", attempt: 3, output: { error: { code: "agent_error" } } });
    expect(resultsOf(await playScript(fleet, session, [["attempt"]]))).toEqual([1]);
  });

  test("code that fails while it is loaded uses an attempt like any other failure", async () => {
    const source = `if (process.env.TOKEN === "real") throw new Error("no start");\nexport const agent = () => "";\n`;
    const manifest = { secrets: ["TOKEN"], retries: { max_attempts: 2 }, entrypoint: "agent.mjs:agent" };
    const { agentId } = await deploy(fleet, { ...manifestFile(manifest), "agent.mjs": source });
    const session = await fleet.client.createSession(agentId, { secrets: { TOKEN: "real" } });
    const record = await send(fleet, session.id, "hi");
    expect(record).toMatchObject({ status: "failed", attempt: 2, output: { error: { code: "agent_error" } } });
    const { data } = await fleet.client.listEvents(session.id, { limit: 200 });
    expect(data.filter((event) => event.type === "attempt.started")).toHaveLength(2);
  });

  test("a timeout is not tried again", async () => {
    const record = await playScript(fleet, await sessionOf({ ...three, ...short }), [["forever"]]);
    expect(record).toMatchObject({ status: "failed", attempt: 1, output: { error: { code: "timeout" } } });
  });

  describeWith("redis", "on BullMQ", ({ url }) => {
    test("a turn's job is delayed with one attempt made while it waits for its next, then completed", async () => {
      const queue = openTurnQueue({ redisUrl: url, prefix: fleet.queuePrefix, pool: "default" });
      try {
        const session = await sessionOf({ max_attempts: 2 });
        const { id } = await start(fleet, session, [
          ["meet", meeting.urlOf("retry")],
          ["throwUntil", 2],
        ]);
        await meeting.arrived("retry");
        const mine = async (state: "active" | "delayed" | "completed") =>
          (await queue.jobs(state)).find((job) => job.messageId === id);
        expect(await mine("active")).toMatchObject({ attemptsMade: 0 });
        meeting.open("retry");
        const delayed = await waitUntil(() => mine("delayed"), { what: "the job to be delayed" });
        expect(delayed).toMatchObject({ attemptsMade: 1 });
        expect((await fleet.client.getMessage(id)).waiting_reason).toBe("retry");
        expect(await ended(fleet, id)).toMatchObject({ status: "completed", attempt: 2 });
        expect(await waitUntil(() => mine("completed"), { what: "the job to be done" })).toMatchObject({
          messageId: id,
        });
      } finally {
        await queue.close();
      }
    });
  });
});

test("messages of a version that is still being built wait for it, and fail when it does", async () => {
  const [worker] = fleet.workers;
  worker!.signal("SIGSTOP");
  try {
    const name = "still-being-built";
    const files = { ...manifestFile({ name, entrypoint: "src/none.mjs:agent" }), "src/agent.mjs": "" };
    const publishing = publish(fleet, files);
    const agent = await waitUntil(async () => (await fleet.client.listAgents()).data.find((row) => row.name === name), {
      what: "the agent",
    });
    const session = await fleet.client.createSession(agent.id);
    const { id } = await start(fleet, session.id, [["attempt"]]);
    expect(await fleet.client.getMessage(id)).toMatchObject({ status: "queued", waiting_reason: "build" });
    worker!.signal("SIGCONT");
    expect((await publishing).version.status).toBe("failed");
    const failed = await ended(fleet, id);
    expect(failed).toMatchObject({ status: "failed", output: { error: { code: "build_failed" } } });
  } finally {
    worker!.signal("SIGCONT");
  }
});

describe.each(["auto", "process"])("with the sandbox %s", (sandbox) => {
  beforeAll(async () => {
    for (const worker of fleet.workers.filter((one) => one.isRunning)) await worker.stop();
    await fleet.startWorker({ DARI_SANDBOX: sandbox });
  }, 120_000);

  test("a daemon in its own session is gone when the turn has ended", async () => {
    const point = `daemon-${sandbox}`;
    const mark = `mark-${sandbox}-${process.pid}`;
    const { id } = await start(fleet, await sessionOf(), [
      ["daemon", mark, "ticks.txt"],
      ["meet", meeting.urlOf(point)],
    ]);
    await meeting.arrived(point);
    expect(processesMarked(mark).length).toBeGreaterThan(0);
    meeting.open(point);
    expect((await ended(fleet, id)).status).toBe("completed");
    expect(processesMarked(mark)).toEqual([]);
  });

  test("a daemon is gone when its turn reached its time limit", async () => {
    const mark = `late-${sandbox}-${process.pid}`;
    const record = await playScript(fleet, await sessionOf(short), [["daemon", mark, "ticks.txt"], ["busy"]]);
    expect(record.output?.error?.code).toBe("timeout");
    expect(processesMarked(mark)).toEqual([]);
  });
});
