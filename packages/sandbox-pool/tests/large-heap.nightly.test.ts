// An agent with a raised memory limit holds more objects than fit into Node's default heap.

import { totalmem } from "node:os";
import { afterAll, expect, test } from "@jest/globals";
import { createBwrapDriver } from "@dari/sandbox";
import { GiB, heapAgents } from "./heap-agents.ts";
import { playAgent, textOf } from "./play-agent.ts";

const neededBytes = 12 * GiB;
const driver = createBwrapDriver();
const agents = heapAgents();
afterAll(async () => {
  agents.remove();
  await driver.close?.();
});

const hasMemory = totalmem() >= neededBytes;
(hasMemory ? test : test.skip)(
  "5 GiB of objects in a turn with 6 GiB, and not in one with 4 GiB",
  async () => {
    const play = (memoryBytes: number) => playAgent(driver, agents, { exportName: "holds", memoryBytes });
    expect(Number(textOf(await play(6 * GiB)))).toBe(5 * GiB);
    expect(await play(4 * GiB)).toMatchObject({ kind: "failed", failure: { code: "out_of_memory" } });
  },
  120_000,
);
