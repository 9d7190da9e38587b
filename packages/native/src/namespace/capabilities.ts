// The capabilities of this process, and which of its child processes keep them.

import { readFileSync } from "node:fs";
import { assertNativePrograms, capabilitiesModule } from "../native-program.ts";

/** What programs/capabilities.c exports. */
interface NativeModule {
  pass(isPassed: boolean): void;
  keepOpen(fd: number): void;
}

/** CAP_SYS_ADMIN, which is needed to mount. */
const sysAdmin = 1n << 21n;

let loaded: NativeModule | undefined;
let isWithheld = false;

/** Returns whether this process may mount in its mount namespace. */
export function hasMountCapability(): boolean {
  if (process.platform !== "linux") return false;
  const set = /^CapEff:\s*([0-9a-f]+)$/m.exec(readFileSync("/proc/self/status", "latin1"))?.[1];
  return set !== undefined && (BigInt(`0x${set}`) & sysAdmin) !== 0n;
}

/**
 * Returns whether the capabilities are those of a user other than root, so that children keep them only through the
 * ambient set.
 */
function isAmbient(): boolean {
  return process.geteuid?.() !== 0 && hasMountCapability();
}

/** @throws if the module cannot be loaded */
export function loadNativeModule(): NativeModule {
  if (loaded !== undefined) return loaded;
  assertNativePrograms();
  const target = { exports: {} as NativeModule };
  process.dlopen(target, capabilitiesModule);
  return (loaded = target.exports);
}

/**
 * From now on, child processes have no capabilities, unless they are started with `startWithCapabilities`. Does nothing
 * as root, whose children keep theirs by other rules, and without capabilities.
 * @throws if they cannot be withheld
 */
export async function withholdCapabilities(): Promise<void> {
  if (!isWithheld && isAmbient()) loadNativeModule().pass(false);
  isWithheld = true;
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
