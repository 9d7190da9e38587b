// The first program in a sandbox (enter.c of @dari/native): it opens the loopback ports of the proxy, sets the limits
// of each process and becomes the agent's program.

import { nativeFile } from "@dari/native";

/** Where a sandbox has the native programs. */
export const nativeInside = "/.sandbox/dari-native";

/** The command inside; the number of the descriptor that `enterWords` are read from follows. */
export const enterInside = [nativeInside, "enter"] as const;

/** What a sandbox needs for `enterInside`: path of the host, path inside. */
export const enterBind = [nativeFile, nativeInside] as const;

/**
 * Returns the input of `enter`: loopback ports to listen on, limits as `limit=number`, the user that it becomes
 * (default: it keeps its user), and the program.
 */
export function enterWords(o: {
  ports: readonly number[];
  limits: readonly string[];
  user?: string | undefined;
  argv: readonly string[];
}): string {
  return [o.ports.join(","), o.limits.join(","), o.user ?? "", ...o.argv].map((word) => `${word}\0`).join("");
}
