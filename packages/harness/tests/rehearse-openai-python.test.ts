// The rehearsal of openai-agents in Python, with a package that replaces the SDK.

import { expect, test } from "@jest/globals";
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { findRuntimes } from "./guest-fixture.ts";

const { interpreter } = findRuntimes().find(({ language }) => language === "python")!;
const paths = ["agents/rehearsed-python", "../guest/python"].map((path) =>
  fileURLToPath(new URL(path, import.meta.url)),
);
const program = `
import asyncio, json, logging, os, sys, threading
import agents
from _dari_harness.sdk.rehearse_openai import rehearse
exec(sys.argv[1])
before = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0
rehearse()
after = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0
logs = logging.getLogger().isEnabledFor(logging.CRITICAL)
print(json.dumps({"made": agents.made, "left": after - before, "threads": threading.active_count(), "logs": logs}))
if sys.version_info < (3, 14):
    asyncio.get_event_loop_policy().get_event_loop()
`;

async function rehearse(prepare: string): Promise<unknown> {
  const env = { PYTHONPATH: paths.join(":"), PYTHONDONTWRITEBYTECODE: "1", PYTHONWARNINGS: "ignore" };
  return JSON.parse((await promisify(execFile)(interpreter, ["-c", program, prepare], { env })).stdout);
}

test("runs agents of its own, untraced, against a server of this process, and leaves nothing open", async () => {
  const run = { agent: "rehearsal", host: "127.0.0.1", tracing: false };
  const made = [
    { ...run, reply: "function_call" },
    { ...run, reply: "message" },
  ];
  expect(await rehearse("")).toEqual({ made, left: 0, threads: 1, logs: true });
});

test("does nothing if the agent is told of requests", async () => {
  expect(await rehearse("sys.modules['opentelemetry.sdk'] = sys")).toMatchObject({ made: [] });
});
