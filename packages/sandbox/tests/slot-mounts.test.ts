// A sandbox that is started before its turn, and gets the turn's directories while it runs.

import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { waitUntil } from "@dari/testkit";
import { createBwrapDriver, openSlotMounts, type Sandbox, type SandboxDriver, type SlotMounts } from "../src/index.ts";
import { createChildDriver } from "./child-driver.ts";

const bwrap = createBwrapDriver();
const children = createChildDriver();
const ways = [{ title: "bwrap", driver: bwrap }];
const probe = await children.probe();
if (probe.ok) ways.push({ title: "a template's child", driver: children });
else test.skip(`a template's child cannot be used here: ${probe.reason}`, () => {});
let root: string;
let mounts: SlotMounts;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "sandbox-slots-"));
  mounts = await openSlotMounts(join(root, "slots"), bwrap);
  await mkdir(join(root, "image"));
});

afterAll(async () => {
  await mounts.close();
  await children.close?.();
  expect(readFileSync("/proc/self/mountinfo", "utf8")).not.toContain(root);
  await rm(root, { recursive: true });
});

async function makeTurn(name: string): Promise<string> {
  const turnDir = join(root, name);
  for (const folder of ["workspace", "state"]) {
    await mkdir(join(turnDir, folder), { recursive: true });
    await writeFile(join(turnDir, folder, "whose"), `${name} ${folder}`);
  }
  return turnDir;
}

/** A shell that runs the lines that it receives. */
async function waiting(
  name: string,
  driver: SandboxDriver = bwrap,
): Promise<Sandbox & { slotDir: string; ask(command: string): Promise<string> }> {
  const slotDir = await mounts.make(name);
  const sandbox = await driver.prepare({
    argv: ["/bin/sh", "-c", 'while read -r line <&3; do eval "$line" 2>&1 | tr "\\n" " " >&3; echo >&3; done'],
    env: {},
    imageDir: join(root, "image"),
    readOnlyPaths: [],
    slotDir,
    mounts,
    network: "none",
    limits: { diskBytes: 10_000_000 },
  });
  const lines = createInterface({ input: sandbox.channel })[Symbol.asyncIterator]();
  const ask = async (command: string): Promise<string> => {
    sandbox.channel.write(`${command}\n`);
    return String((await lines.next()).value).trim();
  };
  return { ...sandbox, slotDir, ask };
}

describe.each(ways)("$title", ({ driver }) => {
  test("sees its turn's directories from the claim on, and what it writes there is the turn's", async () => {
    const turnDir = await makeTurn("turn");
    const sandbox = await waiting("one", driver);
    expect(await sandbox.ask("pwd; ls -A /workspace /state")).toBe("/workspace /state:  /workspace:");
    expect(await mounts.isUntouched(sandbox.slotDir)).toBe(true);
    await sandbox.claim(turnDir);
    expect(await sandbox.ask("cd /workspace; pwd; cat whose; echo; cat ~/whose; ls -d /input /output")).toBe(
      "/workspace turn workspace turn state/input /output",
    );
    await sandbox.ask("echo new > /workspace/made; echo mine > /output/out");
    const flags = await sandbox.ask("grep -E ' /(workspace|state) ' /proc/self/mountinfo | tail -2 | cut -d' ' -f6");
    for (const each of flags.split(" ")) expect(each).toMatch(/nosuid,nodev/);
    await sandbox.kill();
    expect(await readdir(sandbox.slotDir + "/workspace")).toEqual([]);
    expect((await readdir(join(turnDir, "workspace"))).sort()).toEqual(["made", "output", "whose"]);
    expect(readFileSync("/proc/self/mountinfo", "utf8")).not.toContain(sandbox.slotDir);
    await mounts.remove(sandbox.slotDir);
    expect(existsSync(join(turnDir, "workspace", "whose"))).toBe(true);
  });

  test("its output folder is removed if it is empty, also after it had many entries", async () => {
    const turnDir = await makeTurn("emptied");
    const sandbox = await waiting("large", driver);
    await sandbox.claim(turnDir);
    const name = "x".repeat(240);
    await sandbox.ask(`cd /output; for i in $(seq 1000); do : > $i-${name}; done; rm [0-9]*; cd /`);
    await sandbox.kill();
    expect(await readdir(join(turnDir, "workspace"))).toEqual(["whose"]);
    await mounts.remove(sandbox.slotDir);
  });

  test("two concurrent ones each see their own, and nothing of the other's slot", async () => {
    const [one, other] = await Promise.all([waiting("a", driver), waiting("b", driver)]);
    await one.claim(await makeTurn("first"));
    expect(await other.ask("ls -A /workspace /state")).toBe("/state:  /workspace:");
    await other.claim(await makeTurn("second"));
    expect(await one.ask("cat /workspace/whose")).toBe("first workspace");
    expect(await other.ask("cat /workspace/whose")).toBe("second workspace");
    await Promise.all([one.kill(), other.kill()]);
    await Promise.all([mounts.remove(one.slotDir), mounts.remove(other.slotDir)]);
  });

  test("the disk that is watched is the turn's", async () => {
    const sandbox = await waiting("full", driver);
    await sandbox.claim(await makeTurn("filled"));
    sandbox.channel.write("head -c 20000000 /dev/zero > /workspace/big; sleep 60\n");
    expect((await sandbox.exited).signal).toBe("SIGKILL");
    await sandbox.kill();
    expect((await sandbox.collect()).exceeded).toBe("disk");
    await mounts.remove(sandbox.slotDir);
  });

  test("what is written to the slot behind the turn's directories counts as well", async () => {
    const sandbox = await waiting("behind", driver);
    await sandbox.claim(await makeTurn("before"));
    // It has not changed to its directory again, so it is still in the slot's.
    sandbox.channel.write("head -c 20000000 /dev/zero > big; sleep 60\n");
    expect((await sandbox.exited).signal).toBe("SIGKILL");
    await sandbox.kill();
    expect((await sandbox.collect()).exceeded).toBe("disk");
    await mounts.remove(sandbox.slotDir);
  });

  test("a slot that its program has written to before the claim is reported", async () => {
    const sandbox = await waiting("used", driver);
    await sandbox.ask("echo early > ~/.settings");
    expect(await mounts.isUntouched(sandbox.slotDir)).toBe(false);
    await sandbox.kill();
    await mounts.remove(sandbox.slotDir);
  });

  test("a turn's directory that is not there fails the claim with the reason", async () => {
    const sandbox = await waiting("lost", driver);
    await expect(sandbox.claim(join(root, "nowhere"))).rejects.toThrow(/cannot attach .*: no such file/);
    await sandbox.kill();
    await mounts.remove(sandbox.slotDir);
  });
});

/** Returns the programs that mount, which this process has started. */
function mounters(): number[] {
  const threads = readdirSync("/proc/self/task");
  const children = threads.flatMap((id) => readFileSync(`/proc/self/task/${id}/children`, "utf8").trim().split(" "));
  return children.filter((pid) => pid !== "" && commandOf(pid) === "dari-mount").map(Number);
}

function commandOf(pid: string): string | undefined {
  try {
    return /^State:\tZ/m.test(readFileSync(`/proc/${pid}/status`, "utf8"))
      ? undefined
      : readFileSync(`/proc/${pid}/comm`, "utf8").trim();
  } catch {
    return undefined;
  }
}

test("what a mounter that ended left mounted is unmounted before its slot is removed", async () => {
  const turnDir = await makeTurn("kept");
  const sandbox = await waiting("orphaned");
  await sandbox.claim(turnDir);
  expect(mounters()).not.toEqual([]);
  for (const pid of mounters()) process.kill(pid, "SIGKILL");
  await waitUntil(() => mounters().length === 0, { what: "the end of the program that mounts" });
  await sandbox.kill().catch(() => {});
  await mounts.remove(sandbox.slotDir);
  expect(existsSync(sandbox.slotDir)).toBe(false);
  expect(await readdir(join(turnDir, "workspace"))).toContain("whose");
});

test("a slot in which something is mounted is not removed", async () => {
  const turnDir = await makeTurn("strange");
  const slotDir = await mounts.make("occupied");
  execFileSync("mount", ["--bind", join(turnDir, "workspace"), join(slotDir, "workspace")]);
  try {
    await expect(mounts.remove(slotDir)).rejects.toThrow(/occupied\/workspace is still mounted/);
    expect(await readdir(join(turnDir, "workspace"))).toEqual(["whose"]);
  } finally {
    execFileSync("umount", [join(slotDir, "workspace")]);
  }
  await mounts.remove(slotDir);
  expect(existsSync(slotDir)).toBe(false);
});
