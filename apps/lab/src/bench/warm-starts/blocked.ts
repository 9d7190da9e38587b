// Measures for how long the event loop of a large process is blocked while it starts a sandbox.

import { mkdir } from "node:fs/promises";
import path from "node:path";
import { createBwrapDriver } from "@dari/sandbox";
import type { Agent } from "./agents.ts";
import { createRequest, createSpec, runTurnIn, type Stage } from "./starts.ts";

export interface Blocked {
  /** The longest standstills in milliseconds: one per start, and as many of equal times without a start. */
  readonly starts: number[];
  readonly idle: number[];
}

/**
 * `ballastMb`: memory that this process has touched, like a process with many sessions. Nothing is kept ready for the
 * next start, so the time contains a whole start.
 */
export async function measureBlocked(stage: Stage, agent: Agent, rounds: number, ballastMb: number): Promise<Blocked> {
  const ballast = Buffer.alloc(ballastMb * 1024 ** 2, 1);
  const driver = createBwrapDriver();
  const blocked: Blocked = { starts: [], idle: [] };
  // The first round is a warm-up.
  for (let round = -1; round < rounds; round++) {
    const slotDir = path.join(stage.dir, "turns", `blocked-${round}`);
    for (const name of ["workspace", "state"]) await mkdir(path.join(slotDir, name), { recursive: true });
    const startedAt = performance.now();
    const probe = watchLoop();
    const sandbox = await driver.prepare(createSpec(agent, slotDir));
    for (const stream of [sandbox.stdout, sandbox.stderr]) stream.resume();
    await sandbox.claim();
    const { workspace, image: imageDir } = sandbox.paths;
    await runTurnIn(sandbox, createRequest(agent, { imageDir, workspace }));
    const longest = probe.stop();
    const tookMs = performance.now() - startedAt;
    await sandbox.kill();
    const idle = watchLoop();
    await new Promise((resolve) => setTimeout(resolve, tookMs));
    const longestIdle = idle.stop();
    if (round < 0) continue;
    blocked.starts.push(longest);
    blocked.idle.push(longestIdle);
  }
  await driver.close?.();
  if (ballast[0] !== 1) throw new Error("the ballast is gone");
  return blocked;
}

/** Keeps the loop running, so that gaps between its iterations show what blocked it. */
function watchLoop(): { stop(): number } {
  let [last, longest, isOver] = [performance.now(), 0, false];
  const turn = (): void => {
    const now = performance.now();
    longest = Math.max(longest, now - last);
    last = now;
    if (!isOver) setImmediate(turn);
  };
  setImmediate(turn);
  return {
    stop() {
      isOver = true;
      return Math.max(longest, performance.now() - last);
    },
  };
}
