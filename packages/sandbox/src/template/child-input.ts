// Encodes the input for each child of a template, which template.c and child-mounts.h of @dari/native read.

import {
  defaultTmpBytes,
  type ProtectedPaths,
  userIdInside,
  toPathInside,
  insidePaths,
  memoryDirs,
} from "../namespaces/paths-inside.ts";
import type { ControlGroup } from "../limits/control-groups.ts";
import type { SandboxSpec } from "../types.ts";

/**
 * Returns the words that follow the child's number. `slotDir`: the slot of the child. `processes`: the maximum number
 * of processes of the child's user. `guarded`: what the child must not see or change in /proc.
 */
export function encodeChildInput(
  spec: SandboxSpec,
  o: {
    slotDir: string;
    /** See `listensOn`. */
    ports: readonly (number | string)[];
    group: ControlGroup | undefined;
    processes: number | undefined;
    guarded: ProtectedPaths;
  },
): string[] {
  const { readOnly, emptied, hidden } = o.guarded;
  const tmpBytes = String(spec.limits.tmpBytes ?? defaultTmpBytes);
  return [
    o.ports.join(","),
    userIdInside,
    String(o.processes ?? 0),
    ...(o.group?.steps.flat() ?? []),
    ...keptPaths(spec).flatMap((path) => ["keep", path]),
    ...(["workspace", "state"] as const).flatMap((name) => ["slot", `${o.slotDir}/${name}`, insidePaths[name]]),
    ...memoryDirs.flatMap((path) => ["memory", path, tmpBytes]),
    ...readOnly.flatMap((path) => ["readonly", path]),
    ...emptied.flatMap((path) => ["empty", path]),
    ...hidden.flatMap((path) => ["hide", path]),
  ];
}

/** Returns the paths that the program needs inside directories that each child has for itself. */
function keptPaths(spec: SandboxSpec): string[] {
  const paths = spec.readOnlyPaths.map((path) => toPathInside(spec, path));
  return paths.filter((path) => memoryDirs.some((dir) => path.startsWith(`${dir}/`)));
}
