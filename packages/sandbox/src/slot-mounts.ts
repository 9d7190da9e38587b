// Slots of sandboxes that wait for their turn: what is mounted into such a slot appears in the running sandbox. The
// mounts are made by one small program that stays, because to start one from a large Node process is slow.

import { spawn, type ChildProcess } from "node:child_process";
import { mkdir, readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { getSystemErrorMap } from "node:util";
import { compiledProgram } from "./compiled-program.ts";
import { findProgram } from "./programs.ts";
import type { SandboxDriver } from "./types.ts";

/** What a driver needs to give a running sandbox its turn's directories. */
export interface SlotMounts {
  /** Makes a slot: an absolute path to a directory with an empty `workspace/` and `state/` in it. */
  make(name: string): Promise<string>;
  /** Where a slot of this name is or will be. */
  pathOf(name: string): string;
  /** False when something was written to the slot; `attach` would hide it. */
  isUntouched(slotDir: string): Promise<boolean>;
  /** `workspace/` and `state/` of `turnDir` lie over those of the slot, also for its sandbox. */
  attach(turnDir: string, slotDir: string): Promise<void>;
  /** Undoes `attach`, where there was one. */
  detach(slotDir: string): Promise<void>;
  remove(slotDir: string): Promise<void>;
  /** No slot may be in use. */
  close(): Promise<void>;
}

const folders = ["workspace", "state"] as const;

/**
 * `dir` is made when missing, and is a mount of its own until `close`.
 * Tries them out with a sandbox of `driver`.
 * @throws with the reason where this process cannot mount, or mounts do not arrive.
 */
export async function openSlotMounts(dir: string, driver: SandboxDriver): Promise<SlotMounts> {
  const mounts = await openMounts(dir);
  try {
    await tryOut(mounts, driver);
  } catch (error) {
    await mounts.close();
    throw error;
  }
  return mounts;
}

/** Whether a mount arrives is for the kernel and everything between it and this process to say. */
async function tryOut(mounts: SlotMounts, driver: SandboxDriver): Promise<void> {
  const [turnDir, slotDir] = await Promise.all([mounts.make("probe-turn"), mounts.make("probe")]);
  try {
    await writeFile(join(turnDir, "workspace", "arrived"), "");
    const script = "read -r go <&3; test -e /workspace/arrived && ! test -e /state/arrived";
    const argv = [(await findProgram("sh")) ?? "/bin/sh", "-c", script];
    const spec = { argv, env: {}, imageDir: turnDir, readOnlyPaths: [], network: "none", limits: {} } as const;
    const sandbox = await driver.prepare({ ...spec, slotDir, mounts });
    try {
      for (const said of [sandbox.stdout, sandbox.stderr]) said.resume();
      await sandbox.claim(turnDir);
      sandbox.channel.write("go\n");
      if ((await sandbox.exited).code !== 0) throw new Error("a mount does not arrive in a running sandbox");
    } finally {
      await sandbox.kill();
    }
  } finally {
    await Promise.all([mounts.remove(turnDir), mounts.remove(slotDir)]);
  }
}

async function openMounts(dir: string): Promise<SlotMounts> {
  const binary = await compiledProgram("attach");
  if (binary === undefined) throw new Error("there is no C compiler");
  await mkdir(dir, { recursive: true, mode: 0o700 });
  const mounter = startMounter(binary);
  try {
    await mounter.run(["share", dir]);
  } catch (error) {
    mounter.end();
    throw error;
  }
  const attached = new Set<string>();
  async function detach(slotDir: string): Promise<void> {
    for (const name of folders) {
      const place = join(slotDir, name);
      if (attached.delete(place)) await mounter.run(["detach", place]);
    }
  }
  return {
    async make(name) {
      const slotDir = join(dir, name);
      await mkdir(slotDir, { mode: 0o700 });
      for (const folder of folders) await mkdir(join(slotDir, folder), { mode: 0o700 });
      return slotDir;
    },
    pathOf: (name) => join(dir, name),
    async isUntouched(slotDir) {
      const found = await Promise.all(folders.map((name) => readdir(join(slotDir, name))));
      return found.every((names) => names.length === 0);
    },
    async attach(turnDir, slotDir) {
      for (const name of folders) {
        const place = join(slotDir, name);
        await mounter.run(["attach", join(turnDir, name), place]);
        attached.add(place);
      }
    },
    detach,
    // What is still mounted there is somebody's workspace.
    remove: async (slotDir) => {
      await detach(slotDir);
      await rm(slotDir, { recursive: true, force: true });
    },
    async close() {
      await mounter.run(["detach", dir]).finally(() => mounter.end());
    },
  };
}

interface Mounter {
  /** @throws with the system's reason. */
  run(words: readonly string[]): Promise<void>;
  end(): void;
}

function startMounter(binary: string): Mounter {
  // Its input ends with this process, and so does it.
  const child: ChildProcess = spawn(binary, [], { env: {}, stdio: ["pipe", "pipe", "ignore"] });
  const waiting: PromiseWithResolvers<string>[] = [];
  let isGone = false;
  const fail = (): void => {
    isGone = true;
    for (const one of waiting.splice(0)) one.reject(new Error("the program that mounts has ended"));
  };
  child.once("error", fail);
  child.once("close", fail);
  child.stdin!.on("error", () => {});
  child.unref();
  createInterface({ input: child.stdout! }).on("line", (line) => waiting.shift()?.resolve(line));
  return {
    async run(words) {
      if (isGone) throw new Error("the program that mounts has ended");
      const answer = Promise.withResolvers<string>();
      waiting.push(answer);
      child.stdin!.write(words.map((word) => `${word}\0`).join(""));
      const number = Number(await answer.promise);
      if (number === 0) return;
      const reason = getSystemErrorMap().get(-number)?.[1] ?? `error ${number}`;
      throw new Error(`cannot ${words[0]} ${words.at(-1)}: ${reason}`);
    },
    end: () => void child.stdin!.end(),
  };
}
