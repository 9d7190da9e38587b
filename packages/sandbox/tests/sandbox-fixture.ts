// Slots and specs for tests, and what tests ask the host.

import { execFile } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { mkdir, mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { ownKernelNote } from "../src/machine/guarantee-notes.ts";
import type { OciOptions } from "../src/oci/oci-driver.ts";
import { hostUserRange, type Sandbox, type SandboxDriver, type SandboxSpec } from "../src/index.ts";

const programs = fileURLToPath(new URL("./programs", import.meta.url));

/** If an operator names a runtime, that one is tested. */
export const ociOptions: OciOptions = process.env["DARI_OCI_RUNTIME"]
  ? { runtime: process.env["DARI_OCI_RUNTIME"] }
  : {};

/** The user of sandboxes, if the driver gives each its own. */
export const hostUser = hostUserRange()?.first;

/** Creates a slot and an image in their own directory. */
export async function makeSlot(): Promise<{ slotDir: string; imageDir: string; remove(): Promise<void> }> {
  const root = await mkdtemp(join(tmpdir(), "sandbox-test-"));
  const slotDir = join(root, "slot");
  const imageDir = join(root, "image");
  const dirs = [imageDir, join(slotDir, "workspace"), join(slotDir, "state")];
  for (const dir of dirs) await mkdir(dir, { recursive: true });
  await writeFile(join(imageDir, "agent.txt"), "image\n");
  // The program rm also removes paths that are too deep to name.
  return { slotDir, imageDir, remove: async () => void (await promisify(execFile)("rm", ["-rf", root])) };
}

/** Returns a spec that runs a mode of the test program, or `argv` unchanged. */
export function specFor(
  slot: { slotDir: string; imageDir: string },
  mode: readonly string[],
  overrides: Partial<SandboxSpec> = {},
): SandboxSpec {
  return {
    argv: [process.execPath, join(programs, "guest.mjs"), ...mode],
    env: {},
    imageDir: slot.imageDir,
    readOnlyPaths: [process.execPath, programs],
    slotDir: slot.slotDir,
    hostUser,
    network: "none",
    limits: {},
    ...overrides,
  };
}

/** Returns whether the driver's programs run on another kernel than this process. */
export async function hasOwnKernel(driver: SandboxDriver): Promise<boolean> {
  const found = await driver.probe();
  return found.ok && found.guarantees.notes.includes(ownKernelNote);
}

/** Starts a sandbox, runs `body`, and always kills it. */
export async function withSandbox<T>(
  driver: SandboxDriver,
  spec: SandboxSpec,
  body: (sandbox: Sandbox) => Promise<T>,
): Promise<T> {
  const sandbox = await driver.prepare(spec);
  try {
    return await body(sandbox);
  } finally {
    await sandbox.kill();
  }
}

/** Returns the next line of JSON that the program sends. */
export async function nextSaid(sandbox: Sandbox): Promise<unknown> {
  const complaints = text(sandbox.stderr);
  for await (const line of createInterface({ input: sandbox.channel })) return JSON.parse(line);
  throw new Error(`the program said nothing: ${await complaints}`);
}

/** Returns the children of all threads of a process, or none if the process is gone. */
export function childrenOf(pid: number): number[] {
  return quietly([], () =>
    readdirSync(`/proc/${pid}/task`).flatMap((thread) =>
      readFileSync(`/proc/${pid}/task/${thread}/children`, "utf8").split(" ").filter(Boolean).map(Number),
    ),
  );
}

/** Returns children, their children, and so on. */
export function descendantsOf(pid: number): number[] {
  return childrenOf(pid).flatMap((child) => [child, ...descendantsOf(child)]);
}

/** Returns the name of a process's program; empty if it has ended. */
export function commandOf(pid: number): string {
  const stat = quietly("", () => readFileSync(`/proc/${pid}/stat`, "latin1"));
  return /^\d+ \((.*)\) [^ZX] /s.exec(stat)?.[1] ?? "";
}

function quietly<T>(otherwise: T, read: () => T): T {
  try {
    return read();
  } catch {
    return otherwise;
  }
}

/** Counts living host processes that sleep for `seconds`. */
export function countSleepers(seconds: string): number {
  return readdirSync("/proc").filter((name) => /^\d+$/.test(name) && sleepsFor(name, seconds)).length;
}

function sleepsFor(pid: string, seconds: string): boolean {
  try {
    const command = readFileSync(`/proc/${pid}/cmdline`, "latin1");
    return command === `sleep\0${seconds}\0` && !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, "latin1"));
  } catch {
    return false;
  }
}
