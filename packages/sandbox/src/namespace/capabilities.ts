// The capabilities of this process, and which of the programs that it starts keep them.

import { readFileSync } from "node:fs";
import { compiledProgram } from "../compiled-program.ts";

/** native/capabilities.c */
interface NativeModule {
  pass(isPassed: boolean): void;
  keepOpen(fd: number): void;
}

/** CAP_SYS_ADMIN, which mounting takes. */
const sysAdmin = 1n << 21n;

let loaded: NativeModule | undefined;
let withheld: Promise<void> | undefined;

/** Whether this process may mount in its mount namespace. */
export function hasMountCapability(): boolean {
  if (process.platform !== "linux") return false;
  const set = /^CapEff:\s*([0-9a-f]+)$/m.exec(readFileSync("/proc/self/status", "latin1"))?.[1];
  return set !== undefined && (BigInt(`0x${set}`) & sysAdmin) !== 0n;
}

/** Whether the capabilities are those of a user other than root, so that children keep them by the ambient set only. */
function isAmbient(): boolean {
  return process.geteuid?.() !== 0 && hasMountCapability();
}

/** @throws if the module cannot be compiled or loaded */
export async function loadNativeModule(): Promise<NativeModule> {
  if (loaded !== undefined) return loaded;
  const file = await compiledProgram("capabilities");
  if (file === undefined) throw new Error("the module that withholds capabilities from programs cannot be compiled");
  const target = { exports: {} as NativeModule };
  process.dlopen(target, file);
  return (loaded = target.exports);
}

/**
 * From now on, what this process starts has no capabilities, unless it is started by `startWithCapabilities`. Does
 * nothing as root, whose children keep theirs by other rules, and without capabilities.
 * @throws if they cannot be withheld
 */
export function withholdCapabilities(): Promise<void> {
  return (withheld ??= isAmbient() ? loadNativeModule().then((module) => module.pass(false)) : Promise.resolve());
}

/** Calls `start`, which starts a program of ours that needs this process's capabilities. */
export function startWithCapabilities<T>(start: () => T): T {
  if (loaded === undefined || !isAmbient()) return start();
  loaded.pass(true);
  try {
    return start();
  } finally {
    loaded.pass(false);
  }
}
