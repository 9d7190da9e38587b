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
 * less room is copied several times over, which takes a fifth of the start. The guest sets each to 0, which is V8's
 * own choice, before it loads the agent.
 */
const bundledAgentFlags: readonly string[] = ["--min-semi-space-size=48", "--max-semi-space-size=48"];
/** With less memory for the agent, bytes, it starts without: that room is there twice, and can be full. */
const roomyBytes = 1024 ** 3;

/**
 * @param interpreter absolute path of a node (>= 20) or a python (>= 3.10), never a version manager's shim
 * @param o.entryFile the agent's file, as its image has it; default: one that is not bundled
 * @param o.memoryBytes what the agent may have; default: more than enough
 * @param o.nodeScript absolute path of the Node guest as one script; default: its modules as they are
 */
export function guestCommand(
  language: Language,
  interpreter: string,
  o: {
    readonly entryFile?: string;
    readonly memoryBytes?: number | undefined;
    readonly nodeScript?: string | undefined;
    /** It is to be forked for each turn (load-template.ts). Python only. */
    readonly isTemplate?: boolean;
  } = {},
): GuestCommand {
  const real = realpathSync(interpreter);
  if (language === "typescript") {
    const main = o.nodeScript ?? nodeGuestMain;
    const isRoomy = o.entryFile?.endsWith(bundledEnding) === true && (o.memoryBytes ?? Infinity) >= roomyBytes;
    const flags = isRoomy ? bundledAgentFlags : [];
    return { argv: [real, ...flags, main], readOnlyPaths: [real, o.nodeScript ?? dirname(nodeGuestMain)] };
  }
  const dir = join(guestDir, "python");
  const prefix = prefixOf(real);
  const environment = prefixOf(interpreter);
  // A virtual environment is known by the path it is started under, and reads from the installation it was made from.
  const isVirtual = existsSync(join(environment, "pyvenv.cfg"));
  return {
    argv: [
      isVirtual ? interpreter : real,
      "-X",
      "utf8",
      "-u",
      join(dir, "main.py"),
      ...(o.isTemplate ? ["template"] : []),
    ],
    readOnlyPaths: [...(isVirtual ? [environment] : []), ...(prefix === "/" || prefix === "/usr" ? [] : [prefix]), dir],
  };
}

/** `/opt/python/bin/python3` → `/opt/python`: the libraries lie beside bin. */
function prefixOf(interpreter: string): string {
  return dirname(dirname(interpreter));
}
