// How a guest is started: the interpreter's arguments, and the host paths that it must be able to read.

import { existsSync, realpathSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export type Language = "typescript" | "python";

export interface GuestCommand {
  /** [interpreter, ...arguments]; absolute host paths. */
  readonly argv: string[];
  readonly readOnlyPaths: string[];
}

const guestDir = fileURLToPath(new URL("../guest", import.meta.url));

/** What the guest of Node agents is started by, and what one script of all its modules is made from. */
export const nodeGuestMain = join(guestDir, "node", "main.mjs");

/** How the builder ends the name of the file that loads an agent together with all its packages. */
const bundledEnding = ".dari.load.cjs";

/**
 * Of V8, for a bundled agent: room for all that its packages make while they are loaded. Most of it stays, and with
 * less room is copied several times over, which takes a fifth of the start. Room that is not used costs
 * address space; on Node 20 and 22 these flags are part of what a code cache has to fit.
 */
export const bundledAgentFlags: readonly string[] = ["--min-semi-space-size=48", "--max-semi-space-size=48"];

/**
 * @param interpreter absolute path of a node (>= 20) or a python (>= 3.10), never a version manager's shim
 * @param o.entryFile the agent's file, as its image has it; default: one that is not bundled
 * @param o.nodeScript absolute path of the Node guest as one script; default: its modules as they are
 */
export function guestCommand(
  language: Language,
  interpreter: string,
  o: { readonly entryFile?: string; readonly nodeScript?: string | undefined } = {},
): GuestCommand {
  const real = realpathSync(interpreter);
  if (language === "typescript") {
    const main = o.nodeScript ?? nodeGuestMain;
    const flags = o.entryFile?.endsWith(bundledEnding) ? bundledAgentFlags : [];
    return { argv: [real, ...flags, main], readOnlyPaths: [real, o.nodeScript ?? dirname(nodeGuestMain)] };
  }
  const dir = join(guestDir, "python");
  const prefix = prefixOf(real);
  const environment = prefixOf(interpreter);
  // A virtual environment is known by the path it is started under, and reads from the installation it was made from.
  const isVirtual = existsSync(join(environment, "pyvenv.cfg"));
  return {
    argv: [isVirtual ? interpreter : real, "-X", "utf8", "-u", join(dir, "main.py")],
    readOnlyPaths: [...(isVirtual ? [environment] : []), ...(prefix === "/" || prefix === "/usr" ? [] : [prefix]), dir],
  };
}

/** `/opt/python/bin/python3` → `/opt/python`: the libraries lie beside bin. */
function prefixOf(interpreter: string): string {
  return dirname(dirname(interpreter));
}
