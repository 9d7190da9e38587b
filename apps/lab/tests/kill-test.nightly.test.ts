// `dari doctor --kill-test`, as an operator runs it on an installation of two workers.

import { execFile } from "node:child_process";
import path from "node:path";
import type { HealthCheck } from "@dari/contract";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { machineEnvironment } from "../src/config.ts";
import { startFleet, type Fleet } from "../src/fleet.ts";
import { checkout } from "../src/program.ts";

let fleet: Fleet;

beforeAll(async () => {
  fleet = await startFleet({ workers: 2, env: { DARI_WORKER_SLOTS: "2" } });
});

afterAll(async () => {
  expect((await fleet.close()).violations).toEqual([]);
});

interface Run {
  readonly code: number;
  readonly stderr: string;
  readonly checks: readonly HealthCheck[];
}

function doctor(...args: string[]): Promise<Run> {
  const env = { ...machineEnvironment(), DARI_API_URL: fleet.apiUrl, DARI_API_KEY: fleet.apiKey };
  const command = [path.join(checkout, "apps/cli/bin/dari.mjs"), "doctor", "--json", "--kill-test", ...args];
  return new Promise((resolve) => {
    execFile(process.execPath, command, { env }, (error, stdout, stderr) => {
      const { checks = [] } = (stdout === "" ? {} : JSON.parse(stdout)) as { checks?: HealthCheck[] };
      resolve({ code: Number(error?.code ?? 0), stderr, checks });
    });
  });
}

test("kills no process that is not a worker", async () => {
  const api = await doctor("--pid", String(fleet.api.pid));
  expect(api).toMatchObject({ code: 2, stderr: expect.stringContaining("not a worker") });
  const both = await doctor("--pid", String(fleet.api.pid), "--kill-command", "true");
  expect(both).toMatchObject({ code: 2, stderr: expect.stringContaining("--pid") });
  expect(fleet.api.isRunning).toBe(true);
});

test("a worker is killed, its turns run elsewhere, and nothing of the test is left", async () => {
  const [worker] = fleet.workers;
  const run = await doctor("--pid", String(worker!.pid), "--turns", "4");
  const check = run.checks.find(({ name }) => name === "kill-test");
  expect(check).toMatchObject({
    ok: true,
    found: expect.stringMatching(/ran again after .* none was lost or doubled/),
  });
  expect((await worker!.ended).signal).toBe("SIGKILL");
  expect((await fleet.client.listAgents()).data).toEqual([]);
}, 120_000);

test("a test that hits no turn says that nothing was tested", async () => {
  const run = await doctor("--kill-command", "true", "--turns", "1");
  const check = run.checks.find(({ name }) => name === "kill-test");
  expect(check).toMatchObject({ ok: false, found: expect.stringContaining("nothing was tested") });
  expect(run.code).toBe(1);
}, 120_000);
