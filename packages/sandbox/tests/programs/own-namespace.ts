// Enters its own namespace as a worker does, and prints what it finds there as a line of JSON. With `wait` it only
// prints its pid, and waits to be killed.

import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { enterOwnNamespace, readMappedIds, getNamespaceState } from "@dari/native";

await enterOwnNamespace();
if (process.argv[2] === "wait") {
  process.stdout.write(`${process.pid}\n`);
  await new Promise(() => createServer().listen(0, "127.0.0.1"));
}
const { createBwrapDriver, createOciDriver, createProcessDriver, openSlotMounts } = await import("../../src/index.ts");
const { noTemplates } = await import("../template-fixture.ts");

/** Returns the capability sets in a process's status that matter for it and for the programs that it starts. */
function capabilitiesIn(status: string): Record<string, string> {
  const sets = [...status.matchAll(/^Cap(Eff|Prm|Amb):\s*0*([0-9a-f]+)$/gm)];
  return Object.fromEntries(sets.map(([, name, set]) => [name, set]));
}

const sayStatus = ["/bin/sh", "-c", "cat /proc/self/status"];

async function inDirectory<T>(body: (dir: string) => Promise<T>): Promise<T> {
  const dir = await mkdtemp(join(tmpdir(), "own-namespace-"));
  try {
    for (const name of ["workspace", "state", "image"]) await mkdir(join(dir, name));
    return await body(dir);
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

async function agentsCapabilities(driver: ReturnType<typeof createBwrapDriver>): Promise<unknown> {
  const probe = await driver.probe();
  if (!probe.ok) return probe.reason;
  return inDirectory(async (dir) => {
    const common = { argv: sayStatus, env: {}, readOnlyPaths: [], network: "none", limits: {} } as const;
    const sandbox = await driver.prepare({ ...common, imageDir: join(dir, "image"), slotDir: dir });
    try {
      const [said, complaints] = await Promise.all([text(sandbox.stdout), text(sandbox.stderr)]);
      return complaints === "" ? capabilitiesIn(said) : complaints;
    } finally {
      await sandbox.kill();
      await driver.close?.();
    }
  });
}

/** Also a launcher that was started ahead, and one without the program that starts others. */
const drivers = {
  bwrap: createBwrapDriver(),
  "bwrap, ahead": createBwrapDriver({ ahead: true }),
  oci: createOciDriver(),
  process: createProcessDriver(),
};
const agents: Record<string, unknown> = {};
for (const [name, driver] of Object.entries(drivers)) agents[name] = await agentsCapabilities(driver);

const mounts = await inDirectory(async (dir) => {
  const driver = createBwrapDriver();
  try {
    await (await openSlotMounts(join(dir, "warm"), driver)).close();
    return "arrive";
  } catch (error) {
    return (error as Error).message;
  }
});

const child = spawnSync(sayStatus[0]!, sayStatus.slice(1), { encoding: "utf8" }).stdout;
const said = {
  ...getNamespaceState(),
  user: process.getuid!(),
  ids: readMappedIds(),
  arguments: process.argv.slice(2),
  own: capabilitiesIn(readFileSync("/proc/self/status", "latin1")),
  child: capabilitiesIn(child),
  agents,
  mounts,
  templates: noTemplates ?? "fork",
};
process.stdout.write(`${JSON.stringify(said)}\n`);
