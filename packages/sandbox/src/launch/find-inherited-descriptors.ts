// Finds the descriptors that this process inherited, which its children would inherit too.

import { openSync, readdirSync, readFileSync } from "node:fs";

const closeOnExec = 0o2000000;

let masks: ReadonlyMap<number, number> | undefined;

/**
 * Returns each inherited descriptor with a descriptor of /dev/null that replaces it. Otherwise a directory that a
 * supervisor left open would be a way out of the sandbox. The list is read once, because Node opens its own files with
 * close-on-exec.
 */
export function inheritedDescriptorMasks(): ReadonlyMap<number, number> {
  masks ??= findInherited();
  return masks;
}

function findInherited(): ReadonlyMap<number, number> {
  const found = new Map<number, number>();
  let names: string[];
  try {
    names = readdirSync("/proc/self/fdinfo");
  } catch {
    return found;
  }
  const inherited = names.map(Number).filter((fd) => fd > 2 && isInheritable(fd));
  if (inherited.length === 0) return found;
  const nothing = openSync("/dev/null", "r");
  for (const fd of inherited) found.set(fd, nothing);
  return found;
}

function isInheritable(fd: number): boolean {
  try {
    const flags = /^flags:\s*([0-7]+)/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, "latin1"))?.[1];
    return flags !== undefined && (Number.parseInt(flags, 8) & closeOnExec) === 0;
  } catch {
    return false;
  }
}
