// Only for containers: which promises of a runtime are accepted, what it writes, and what is left of one.

import { afterAll, afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { waitUntil } from "@dari/testkit";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { chmod, mkdir, mkdtemp, open, readdir, readFile, rm, writeFile } from "node:fs/promises";
import type { Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { nativeFile, nativeProblem } from "@dari/native";
import { createOciDriver, openSlotMounts } from "../src/index.ts";
import { listenForRelay } from "../src/oci/guest-kernel.ts";
import { deleteContainer, findRuntimes, sweepContainers, type Runtime } from "../src/oci/runtimes.ts";
import {
  commandOf,
  countSleepers,
  descendantsOf,
  hasOwnKernel,
  makeSlot,
  nextSaid,
  ociOptions,
  specFor,
  withSandbox,
} from "./sandbox-fixture.ts";

const driver = createOciDriver(ociOptions);
const probe = await driver.probe();
const isOwnKernel = await hasOwnKernel(driver);
const runtime: Runtime | undefined = probe.ok
  ? (await findRuntimes(ociOptions.runtime)).find(({ program }) => probe.guarantees.notes[0]?.endsWith(program))
  : undefined;

let slot: Awaited<ReturnType<typeof makeSlot>>;
beforeEach(async () => {
  slot = await makeSlot();
});
afterEach(() => slot.remove());
afterAll(() => driver.close?.());

test("a runtime that is not there is named", async () => {
  const found = await createOciDriver({ runtime: "youki-of-nobody" }).probe();
  expect(found.ok ? "usable" : found.reason).toBe("the program youki-of-nobody was not found");
});

/** Returns why a runtime is rejected that runs this instead of starting a container. */
async function refusalOf(run: (dir: string) => string, o: { tryWithinMs?: number } = {}): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), "sandbox-runtime-"));
  try {
    const program = join(dir, "none");
    await writeFile(program, `#!/bin/sh\n[ "$3" = run ] || exit 0\n${run(dir)}\n`);
    await chmod(program, 0o755);
    const found = await createOciDriver({ runtime: program, controlGroups: false, ...o }).probe();
    return found.ok ? "usable" : found.reason;
  } finally {
    await rm(dir, { recursive: true });
  }
}

test("a runtime that starts the program without a container is not trusted", async () => {
  // $8: the file for the pid of the container's first process; another shell takes its place.
  const first = 'echo "CapEff: there"; echo looked; read -r go <&3';
  const refusal = await refusalOf(() => `exec 3<&0\nsh -c '${first}' &\necho $! > "$8"`);
  expect(refusal).toMatch(/CapEff: there, the user namespace is this machine's/);
}, 30_000);

test("a runtime that hangs is tried once", async () => {
  let trials = "";
  const hangs = (dir: string): string => `echo tried >> ${(trials = `${dir}.trials`)}\nexec sleep 1000`;
  try {
    expect(await refusalOf(hangs, { tryWithinMs: 500 })).toMatch(/none: it did not end within 500 ms$/);
    expect(await readFile(trials, "utf8")).toBe("tried\n");
  } finally {
    await rm(trials, { force: true });
  }
}, 30_000);

test("the connection of one sandbox is removed at its end, and no other one", async () => {
  const dir = await mkdtemp(join(tmpdir(), "sandbox-relay-"));
  const [mine, others] = [join(dir, "mine"), join(dir, "others")];
  for (const one of [mine, others]) await mkdir(one);
  const served: Server[] = [];
  const serve = (_port: number, server: Server): void => void served.push(server);
  await listenForRelay(mine, { ports: [3128], serve });
  expect(await readdir(mine)).toEqual(["3128"]);
  await writeFile(join(others, "3128"), "");
  // It has the lowest free number.
  await using _opened = await open(others);
  const ended = served.map((server) => once(server.close(), "close"));
  await Promise.all(ended);
  expect([await readdir(mine), await readdir(others)]).toEqual([[], ["3128"]]);
  await rm(dir, { recursive: true });
});

(nativeProblem() === undefined ? test : test.skip)("the relay keeps no descriptor that others had open", async () => {
  // The last part makes it unique.
  const name = `relay-${process.hrtime.bigint()}`;
  const argv = ["relay", "0", "/bin/sh", "-c", "read -r go", name];
  const program = spawn(nativeFile, argv, { stdio: Array.from({ length: 8 }, () => "pipe" as const) });
  const isLeft = (pid: string): boolean => wordsOf(pid).startsWith(nativeFile) && wordsOf(pid).includes(name);
  const left = (): string[] => readdirSync("/proc").filter((pid) => /^\d+$/.test(pid) && isLeft(pid));
  try {
    // The port that it listens on.
    const isAlone = (pid: string): boolean => readdirSync(`/proc/${pid}/fd`).join() === "64";
    await waitUntil(() => left().length === 1 && left().every(isAlone), { what: "all others to be closed" });
  } finally {
    for (const pid of left()) process.kill(Number(pid));
    program.kill();
  }
});

/** Returns the words of a process's command line; empty if the process has ended. */
function wordsOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "latin1");
  } catch {
    return "";
  }
}

(runtime === undefined ? describe.skip : describe)("a container of oci", () => {
  const { dir, program } = runtime ?? { dir: "", program: "" };
  const [inOwnKernel, inSharedKernel] = isOwnKernel ? [test, test.skip] : [test.skip, test];
  const containers = async (): Promise<string[]> => {
    const names = [...(await readdir(dir)), ...(await readdir(join(dir, "state")))];
    return names.filter((name) => name.startsWith(`dari-${process.pid}-`));
  };
  const groups = (): string =>
    execFileSync("find", ["/sys/fs/cgroup", "-name", `dari-${process.pid}-*`], { encoding: "utf8" });

  test("the program's environment is in no file that a runtime keeps, and nothing is left of it", async () => {
    const spec = specFor(slot, ["echo"], { env: { TOKEN: "planted-in-the-environment" } });
    await withSandbox(driver, spec, async (sandbox) => {
      sandbox.channel.write('"up"\n');
      expect(await nextSaid(sandbox)).toBe("up");
      expect(await containers()).not.toEqual([]);
      expect(() => execFileSync("grep", ["-r", "planted-in-the-environment", dir])).toThrow();
    });
    await driver.close?.();
    expect(await containers()).toEqual([]);
    await waitUntil(() => groups() === "", { what: "the groups to go" });
  });

  test("ends with the process that started it, and the next one removes what the runtime keeps of it", async () => {
    const seconds = `6000.${process.hrtime.bigint()}`;
    const script = fileURLToPath(new URL("./programs/start-and-die.ts", import.meta.url));
    const args = [script, slot.slotDir, slot.imageDir, seconds, "oci"];
    const owner = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
    await once(owner.stdout, "data");
    if (!isOwnKernel) await waitUntil(() => countSleepers(seconds) === 50, { what: "50 sleepers" });
    const started = descendantsOf(owner.pid!);
    expect(started.length).toBeGreaterThan(0);
    owner.kill("SIGKILL");
    await once(owner, "exit");
    await waitUntil(() => started.every((pid) => commandOf(pid) === ""), { what: "the container to end" });
    expect(countSleepers(seconds)).toBe(0);
    const left = async (): Promise<string[]> =>
      (await readdir(join(dir, "state"))).filter((name) => name.startsWith(`dari-${owner.pid}-`));
    // A pid that now belongs to another process proves nothing.
    const [id = ""] = await left();
    expect(id).not.toBe("");
    const taken = id.replace(/_sandbox:.*/, "").replace(String(owner.pid), String(process.pid));
    await mkdir(join(dir, taken));
    await sweepContainers(runtime!);
    expect(await readdir(dir)).not.toContain(taken);
    expect(await left()).toEqual([]);
    expect((await readdir(dir)).filter((name) => name.startsWith(`dari-${owner.pid}-`))).toEqual([]);
  }, 30_000);

  inOwnKernel("what a runtime had only begun to write down of one is removed as well", async () => {
    // No process has this pid.
    const id = "dari-9999999-t1-begun";
    await writeFile(join(dir, "state", `${id}_sandbox:${id}.state`), "");
    await sweepContainers(runtime!);
    expect((await readdir(join(dir, "state"))).filter((name) => name.startsWith(id))).toEqual([]);
  });

  test("a sandbox that the runtime was asked to delete is dead", async () => {
    const seconds = `7000.${process.hrtime.bigint()}`;
    await withSandbox(driver, specFor(slot, ["daemons", seconds]), async (sandbox) => {
      expect(await nextSaid(sandbox)).toBe("started");
      const [id] = (await containers()).filter((name) => name.startsWith("dari-"));
      await deleteContainer(runtime!, id!);
      expect(await sandbox.exited).toEqual({ code: null, signal: "SIGKILL" });
      expect(countSleepers(seconds)).toBe(0);
    });
  });

  inOwnKernel("is known to let no mounts in while a kernel of its own runs", async () => {
    const root = await mkdtemp(join(tmpdir(), "sandbox-oci-slots-"));
    await expect(openSlotMounts(join(root, "slots"), driver)).rejects.toThrow(/does not appear in a running sandbox/);
    await rm(root, { recursive: true });
  });

  inSharedKernel("is given its turn's directories while it runs", async () => {
    const root = await mkdtemp(join(tmpdir(), "sandbox-oci-slots-"));
    const mounts = await openSlotMounts(join(root, "slots"), driver);
    try {
      const turnDir = join(root, "turn");
      for (const name of ["workspace", "state"]) await mkdir(join(turnDir, name), { recursive: true });
      const slotDir = await mounts.make("one");
      const script = 'echo up; read -r go <&3; cd /workspace; echo "$go" > /output/said; echo done';
      const spec = specFor({ ...slot, slotDir }, [], { argv: ["/bin/sh", "-c", script], mounts });
      await withSandbox(driver, spec, async (sandbox) => {
        await once(sandbox.stdout, "data");
        await sandbox.claim(turnDir);
        sandbox.channel.write("hello\n");
        expect((await sandbox.exited).code).toBe(0);
      });
      expect(await readFile(join(turnDir, "workspace/output/said"), "utf8")).toBe("hello\n");
      await mounts.remove(slotDir);
    } finally {
      await mounts.close();
      await rm(root, { recursive: true });
    }
  });

  inOwnKernel("tells of a kernel of its own when there are as many processes as there may be", async () => {
    const argv = ["/bin/sh", "-c", "for i in 1 2 3 4; do sleep 1 & done; wait"];
    for (const [processes, exceeded] of [
      [5, "processes"],
      [6, undefined],
    ] as const) {
      await withSandbox(driver, specFor(slot, [], { argv, limits: { processes } }), async (sandbox) => {
        await sandbox.exited;
        await sandbox.kill();
        expect((await sandbox.collect()).exceeded).toBe(exceeded);
      });
    }
  });

  inOwnKernel("gives a kernel of its own no network of this machine's", async () => {
    const start = driver.prepare(specFor(slot, ["echo"], { network: "open" }));
    await expect(start).rejects.toThrow(/cannot use this machine's network/);
  });

  (process.getuid?.() === 0 && !isOwnKernel ? test : test.skip)(
    "isolates without a user namespace as well, and says so",
    async () => {
      const plain = createOciDriver({ runtime: program, controlGroups: false, userNamespace: false });
      const found = await plain.probe();
      expect(found.ok && found.guarantees.limits.memory).toBe("watched");
      expect(found.ok ? found.guarantees.notes : found.reason).toContain(
        "containers have no user namespace: root in a container is root on the host",
      );
      const argv = ["/bin/sh", "-c", "id -u; grep CapEff /proc/self/status; echo > /output/made && echo written"];
      await withSandbox(plain, specFor(slot, [], { argv }), async (sandbox) => {
        await sandbox.claim();
        expect(await text(sandbox.stdout)).toBe(`0\nCapEff:\t${"0".repeat(16)}\nwritten\n`);
      });
      await plain.close?.();
    },
  );
});
