// A launcher that waits for the next sandbox: used once, by a sandbox with the same limits, and gone after `close`.

import { afterAll, afterEach, beforeEach, expect, test } from "@jest/globals";
import { waitUntil } from "@dari/testkit";
import { existsSync, readdirSync } from "node:fs";
import { text } from "node:stream/consumers";
import { launcherPipes, startLauncher } from "../src/bwrap/bwrap-launcher.ts";
import { findControlGroupDirs } from "../src/limits/control-groups.ts";
import { createBwrapDriver, type SandboxSpec } from "../src/index.ts";
import { findProgram } from "../src/launch/find-programs.ts";
import { openStarter } from "../src/launch/starter.ts";
import { childrenOf, commandOf, makeSlot, specFor, withSandbox } from "./sandbox-fixture.ts";

const driver = createBwrapDriver({ ahead: true });
const places = await findControlGroupDirs();
const isUsable = (await driver.probe()).ok;
const testUsable = isUsable ? test : test.skip;

let slot: Awaited<ReturnType<typeof makeSlot>>;
beforeEach(async () => {
  slot = await makeSlot();
});
afterEach(() => slot.remove());
afterAll(() => driver.close?.());

/** Returns bubblewraps that this process has started, directly or by its starter. */
function launchers(): number[] {
  const own = childrenOf(process.pid);
  const all = [...own, ...own.filter((pid) => commandOf(pid) === "dari-start").flatMap(childrenOf)];
  return all.filter((pid) => commandOf(pid) === "bwrap");
}

function groups(): string[] {
  const dirs = [...new Set([places?.memory, places?.processes])].filter((dir) => dir !== undefined);
  return dirs.flatMap((dir) => readdirSync(dir)).filter((name) => name.startsWith(`dari-${process.pid}-`));
}

async function waiting(): Promise<number> {
  await waitUntil(() => launchers().length === 1, { what: "a launcher to wait" });
  return launchers()[0]!;
}

function answer(o: Partial<SandboxSpec> = {}): Promise<{ pid: number; said: string }> {
  const spec = specFor(slot, [], { argv: ["/usr/bin/cat", "/proc/self/limits"], ...o });
  return withSandbox(driver, spec, async ({ pid, stdout, stderr }) => {
    stderr.resume();
    return { pid, said: await text(stdout) };
  });
}

const openFiles = (said: string): string | undefined => /^Max open files +(\d+)/m.exec(said)?.[1];

testUsable("the next sandbox is started by the waiting launcher, with its own limits and network", async () => {
  await answer();
  const first = await waiting();
  const limits = { openFiles: 77 };
  const { pid, said } = await answer({ limits });
  expect(pid).toBe(first);
  expect(openFiles(said)).toBe("77");
  const next = await waiting();
  expect(next).not.toBe(first);
  const policy = { mode: "off", rules: [] } as const;
  const { pid: proxied, said: interfaces } = await answer({
    argv: ["/usr/bin/cat", "/proc/net/tcp"],
    network: { policy },
  });
  expect(proxied).toBe(next);
  // 127.0.0.1:3128, which listens.
  expect(interfaces).toContain("0100007F:0C38 00000000:0000 0A");
});

testUsable("a sandbox whose group has other limits gets another launcher, and the next such one waits", async () => {
  const limits = { memoryBytes: 256 * 1024 ** 2, processes: 50 };
  await answer();
  const first = await waiting();
  const other = await answer({ limits });
  expect(other.pid).not.toBe(first);
  const second = await waiting();
  expect([first, other.pid]).not.toContain(second);
  expect((await answer({ limits })).pid).toBe(second);
});

testUsable("a launcher that was ended while it waited costs the next sandbox nothing but time", async () => {
  await answer();
  const first = await waiting();
  process.kill(first, "SIGKILL");
  // The starter reports the end when it reaps the process.
  await waitUntil(() => !existsSync(`/proc/${first}`), { what: "the launcher to be reaped" });
  const { pid, said } = await answer();
  expect(pid).not.toBe(first);
  expect(said).toContain("Max open files");
});

testUsable("closing ends what waits and leaves no group; sandboxes are started as before", async () => {
  await answer();
  await waiting();
  await driver.close?.();
  expect(launchers()).toEqual([]);
  await answer();
  await driver.close?.();
  expect(launchers()).toEqual([]);
  // The kernel frees a group a moment after its last process.
  await waitUntil(() => groups().length === 0, { what: "the groups to go" });
});

testUsable("a launcher whose owner dies before it sends options starts nothing and ends", async () => {
  const bwrap = (await findProgram("bwrap"))!;
  const starter = openStarter({ pipes: launcherPipes, isFollowed: true });
  const { launched } = await startLauncher({ bwrap, starter, groups: undefined, limits: {} });
  const complaint = text(launched.stderr);
  for (const pipe of launched.launcherPipes) pipe.destroy();
  expect((await launched.exited).code).toBe(1);
  expect(await complaint).toContain("requires --unshare-uts");
});
