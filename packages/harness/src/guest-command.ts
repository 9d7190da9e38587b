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

/**
 * @param interpreter absolute path of a node (>= 20) or a python (>= 3.10), never a version manager's shim
 * @param o.nodeScript absolute path of the Node guest as one script; default: its modules as they are
 */
export function guestCommand(
  language: Language,
  interpreter: string,
  o: { readonly nodeScript?: string | undefined } = {},
): GuestCommand {
  const real = realpathSync(interpreter);
  if (language === "typescript") {
    const main = o.nodeScript ?? nodeGuestMain;
    return { argv: [real, main], readOnlyPaths: [real, o.nodeScript ?? dirname(nodeGuestMain)] };
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
