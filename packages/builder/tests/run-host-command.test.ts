// What the error of a program of this machine says, for each way in which it can fail.

import { expect, test } from "@jest/globals";
import { hasTimedOut, HostCommandError, runHostCommand } from "../src/runtimes/run-host-command.ts";

interface Case {
  readonly script: string;
  readonly message: string;
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

async function failureOf({ script, timeoutMs = 60_000, signal }: Omit<Case, "message">): Promise<unknown> {
  const options = { env: {}, timeoutMs, ...(signal === undefined ? {} : { signal }) };
  return runHostCommand("/bin/sh", ["-c", script], options).catch((error: unknown) => error);
}

test.each<[string, Case]>([
  ["exits silently", { script: "exit 3", message: "`sh` failed: exit code 3" }],
  ["is killed by a signal", { script: "kill -SEGV $$", message: "`sh` failed: killed by SIGSEGV" }],
  ["prints errors", { script: "seq 7 >&2; echo out; exit 1", message: "`sh` failed: 3\n4\n5\n6\n7" }],
  ["prints only to stdout", { script: "echo out; exit 1", message: "`sh` failed: out" }],
  [
    "prints too much",
    { script: "head -c 1048577 /dev/zero", message: "`sh` failed: it printed more than 1048576 bytes" },
  ],
  [
    "is aborted",
    { script: "sleep 60", signal: AbortSignal.abort(), message: "`sh` failed: The operation was aborted" },
  ],
])("one that %s", async (_what, { message, ...how }) => {
  const error = await failureOf(how);
  expect(error).toBeInstanceOf(HostCommandError);
  expect([(error as Error).message, hasTimedOut(error)]).toEqual([message, false]);
});

test("one that runs for too long", async () => {
  const error = await failureOf({ script: "exec sleep 60", timeoutMs: 100 });
  expect((error as Error).message).toBe("`sh` did not end within its time limit (0.1 s)");
  expect(hasTimedOut(error)).toBe(true);
});

test("one that does not exist", async () => {
  const running = runHostCommand("/nowhere/tool", [], { env: {}, timeoutMs: 60_000 });
  await expect(running).rejects.toThrow("`tool` failed: spawn /nowhere/tool ENOENT");
});
