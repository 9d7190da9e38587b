// Whether the processors have no time left, by the kernel's pressure stall information.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { listGroupDirs } from "@dari/sandbox-pool";

/** The processors are busy if something waited for one of them for this part of the time. */
const busyPart = 0.95;
/** The shortest time to judge, in milliseconds. */
const windowMs = 900;

const ofMachine = "/proc/pressure/cpu";

/**
 * Returns a function that tells whether the processors of the machine, or those that a control group of this process
 * may use, were busy since its last call that is at least 0.9 s ago. Undefined if the kernel does not report it.
 */
export function openProcessorPressure(
  files: readonly string[] = [ofMachine, ...groupFiles()],
  now: () => number = () => performance.now(),
): (() => boolean) | undefined {
  if (readStalledMs(files[0] ?? ofMachine) === undefined) return undefined;
  const readAll = (): (number | undefined)[] => files.map(readStalledMs);
  let last = { at: now(), stalled: readAll() };
  let isBusy = false;
  return () => {
    const [at, stalled] = [now(), readAll()];
    const ms = at - last.at;
    if (ms < windowMs) return isBusy;
    isBusy = stalled.some((to, index) => (to ?? 0) - (last.stalled[index] ?? Infinity) >= busyPart * ms);
    last = { at, stalled };
    return isBusy;
  };
}

/** Only version 2 of control groups reports pressure. */
function groupFiles(): string[] {
  return listGroupDirs("cpu").flatMap(({ dir, version }) => (version === 2 ? [join(dir, "cpu.pressure")] : []));
}

/** Returns how long something has waited for a processor so far, in milliseconds. */
function readStalledMs(file: string): number | undefined {
  try {
    const total = /^some .*total=(\d+)$/m.exec(readFileSync(file, "utf8"))?.[1];
    return total === undefined ? undefined : Number(total) / 1_000;
  } catch {
    // There is no such file, or the kernel was started without pressure stall information.
    return undefined;
  }
}
