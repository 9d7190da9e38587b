// The input of the first program in a sandbox (enter.c of @dari/native), which opens the loopback ports of the proxy,
// sets the limits of each process and becomes the agent's program.

import { nativeFile } from "@dari/native";

/** Path of the native programs in a sandbox. */
export const nativePathInside = "/.sandbox/dari-native";

/**
 * The command inside the sandbox. Its argument is the number of the descriptor with the result of `encodeEnterInput`.
 */
export const enterCommandInside = [nativePathInside, "enter"] as const;

/** The bind mount for `enterCommandInside`: path on the host, path inside. */
export const enterBind = [nativeFile, nativePathInside] as const;

/**
 * Returns the input of `enter`: what to listen on (see `listensOn`), limits as `limit=number`, the user that it becomes
 * (default: unchanged), and the program.
 */
export function encodeEnterInput(o: {
  ports: readonly (number | string)[];
  limits: readonly string[];
  user?: string | undefined;
  argv: readonly string[];
}): string {
  return [o.ports.join(","), o.limits.join(","), o.user ?? "", ...o.argv].map((word) => `${word}\0`).join("");
}
