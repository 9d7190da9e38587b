// The memory limit of a turn is the limit of its JavaScript heap too, less what Node needs besides.

import { execFileSync } from "node:child_process";
import { afterAll, describe, expect, test } from "@jest/globals";
import { createBwrapDriver } from "@dari/sandbox";
import { GiB, heapAgents, MiB } from "./heap-agents.ts";
import { playAgent, textOf } from "./play-agent.ts";

const agents = heapAgents();
afterAll(() => agents.remove());

describe.each([
  ["on this machine", {}],
  ["without control groups", { controlGroups: false }],
])("%s", (_title, options) => {
  const driver = createBwrapDriver(options);
  afterAll(() => driver.close?.());

  test("an agent with a small limit collects its garbage in time", async () => {
    const ending = await playAgent(driver, agents, { exportName: "churns", memoryBytes: 256 * MiB });
    expect(textOf(ending)).toBe("churned");
  });

  test("an agent that keeps more than its limit fails and says why", async () => {
    const ending = await playAgent(driver, agents, { exportName: "keeps", memoryBytes: 256 * MiB });
    expect(ending).toMatchObject({
      kind: "failed",
      failure: { code: "out_of_memory", message: expect.stringContaining("the agent exceeded its memory limit") },
    });
  });

  test("an agent with a raised limit has a larger heap than by default, and its threads have Node's own", async () => {
    const script = "v8.getHeapStatistics().heap_size_limit";
    const usual = Number(execFileSync(process.execPath, ["-p", script], { encoding: "utf8" }));
    const ending = await playAgent(driver, agents, { exportName: "tells", memoryBytes: 8 * GiB });
    const told = JSON.parse(textOf(ending)) as { own: number; threads: number; execArgv: readonly string[] };
    expect(told.own).toBeGreaterThan(Math.max(usual, 7 * GiB));
    expect(told.own).toBeLessThan(8 * GiB);
    expect(told.threads).toBeLessThan(7 * GiB);
    expect(told.execArgv).toEqual([]);
  });
});
