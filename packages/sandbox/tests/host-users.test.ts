// A host user for each organization: how it is chosen, and what organizations cannot take from each other.

import { afterAll, describe, expect, test } from "@jest/globals";
import { chownSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  withHostUser,
  createBwrapDriver,
  hostUserRange,
  openHostUsers,
  type Sandbox,
  type SandboxDriver,
  type SandboxLimits,
} from "../src/index.ts";
import { probeCandidate, testGuarantee, testCoversSecurityTable } from "@dari/testkit/test-guarantee";
import { createChildDriver } from "./child-driver.ts";
import { descendantsOf, makeSlot, nextSaid, specFor } from "./sandbox-fixture.ts";

test.each([
  ["the initial namespace", [{ first: 1, count: 4_294_967_294 }], { first: 1_900_000_000, count: 1_048_576 }],
  ["a pod's namespace", [{ first: 1, count: 65_535 }], { first: 58_000, count: 3_000 }],
  ["one id", [], undefined],
  ["ids of /etc/subuid", [{ first: 58_000, count: 500 }], { first: 58_000, count: 500 }],
])("the range of %s", (_, mapped, range) => {
  expect(hostUserRange(mapped)).toEqual(range);
});

const isRoot = process.getuid?.() === 0;
const asRoot = isRoot ? test : test.skip;

describe("the record", () => {
  const range = { first: 58_000, count: 3 };
  const dir = mkdtempSync(join(tmpdir(), "host-users-"));
  afterAll(() => rmSync(dir, { recursive: true }));

  asRoot("gives each organization its own, and the same after a restart", () => {
    const users = openHostUsers(dir, range);
    const chosen = ["org_a", "org_b", "org_c"].map((id) => users.idOf(id));
    expect([...chosen].sort()).toEqual([58_000, 58_001, 58_002]);
    const next = openHostUsers(dir, range);
    expect(["org_a", "org_b", "org_c"].map((id) => next.idOf(id))).toEqual(chosen);
    // None is left, so it shares one.
    expect(chosen).toContain(next.idOf("org_d"));
  });

  asRoot("chooses again if a process died before it changed the file's owner", () => {
    const file = join(dir, "org_late");
    writeFileSync(file, "");
    chownSync(file, 0, 0);
    expect(openHostUsers(dir, { first: 60_000, count: 9 }).idOf("org_late")).toBeGreaterThanOrEqual(60_000);
  });
});

const range = hostUserRange();
const slots: Awaited<ReturnType<typeof makeSlot>>[] = [];
const sandboxes: Sandbox[] = [];
const drivers = [
  { title: "bwrap", driver: createBwrapDriver() },
  { title: "a template's child", driver: createChildDriver() },
];
afterAll(async () => {
  await Promise.all(sandboxes.map((one) => one.kill()));
  for (const { driver } of drivers) await driver.close?.();
  for (const slot of slots) await slot.remove();
});

async function start(
  driver: SandboxDriver,
  hostUser: number,
  code: string,
  limits: SandboxLimits = {},
): Promise<Sandbox> {
  const slot = await makeSlot();
  slots.push(slot);
  const argv = ["/usr/bin/python3", "-I", "-S", "-c", code];
  const sandbox = await withHostUser(driver, hostUser).prepare(specFor(slot, [], { argv, limits }));
  sandboxes.push(sandbox);
  return sandbox;
}

/** Prints how many descriptors it has in flight between its own processes, up to `most`, and waits. */
const inFlight = (most: number): string => `
import array, socket
pairs, sent = [], 0
try:
    while sent < ${most}:
        pair = socket.socketpair()
        pairs.append(pair)
        for _ in range(8):
            part = array.array("i", [0] * 250)
            pair[0].sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, part)])
            sent += 250
            if sent >= ${most}:
                break
except OSError as error:
    pass
open(3, "wb", closefd=False).write(b"%d\\n" % sent)
open(3, "rb", closefd=False).read()
`;

/** Prints how many processes it could start, and waits. */
const sixProcesses = `
import os, signal
started = 0
for _ in range(6):
    try:
        if os.fork() == 0:
            signal.pause()
        started += 1
    except OSError:
        pass
open(3, "wb", closefd=False).write(b"%d\\n" % started)
open(3, "rb", closefd=False).read()
`;

for (const { title, driver } of drivers) {
  const found = await driver.probe();
  const isOwn = found.ok && found.guarantees.users === "own" && range !== undefined;
  const testThere = isOwn ? test : test.skip;

  testThere(`${title}: to the kernel all of it is its host user's, in no group of the worker's`, async () => {
    const user = range!.first + 5;
    const sandbox = await start(driver, user, "print(flush=True); open(3, 'rb', closefd=False).read()");
    await new Promise((resolve) => sandbox.stdout.once("data", resolve));
    const agents = descendantsOf(sandbox.pid).filter((pid) => /^Name:\tpython3$/m.test(statusOf(pid)));
    const ids = agents.map((pid) => statusOf(pid).match(/^(Uid|Gid|Groups):.*$/gm));
    expect(agents.length).toBeGreaterThan(0);
    for (const one of ids) {
      expect(one).toEqual([`Uid:${`\t${user}`.repeat(4)}`, `Gid:${`\t${user}`.repeat(4)}`, "Groups:\t "]);
    }
  });

  testThere(`${title}: starts one after another leave one listener for the end of the process`, async () => {
    const counts: number[] = [];
    for (let i = 0; i < 3; i++) {
      const sandbox = await start(driver, range!.first + 8, "pass");
      await sandbox.exited;
      counts.push(process.listenerCount("exit"));
    }
    expect(counts).toEqual(counts.map(() => counts[0]));
  });

  testThere(`${title}: an organization's sandboxes do not use up each other's processes`, async () => {
    // Together more than four times the limit of one, which Linux before 5.14 would count for the user.
    const many = Array.from({ length: 6 }, () => start(driver, range!.first + 9, sixProcesses, { processes: 8 }));
    const counts = await Promise.all(many.map(async (one) => nextSaid(await one)));
    expect(counts).toEqual(counts.map(() => 6));
  });

  const testCounts = isOwn ? testGuarantee("kernel-counts", driver.name) : test.skip;
  testCounts(`${title}: one organization's descriptors in flight do not count for another`, async () => {
    const [one, other] = [range!.first + 6, range!.first + 7];
    const hog = await start(driver, one, inFlight(1_000_000));
    const taken = (await nextSaid(hog)) as number;
    expect(taken).toBeLessThan(1_000_000);
    const same = await start(driver, one, inFlight(250));
    const victim = await start(driver, other, inFlight(250));
    expect({ same: await nextSaid(same), victim: await nextSaid(victim) }).toEqual({ same: 0, victim: 250 });
  });
}

function statusOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/status`, "latin1");
  } catch {
    return "";
  }
}

const isOff = (): boolean => range === undefined;
testCoversSecurityTable("host-users", await Promise.all(drivers.map(({ driver }) => probeCandidate(driver, isOff))));
