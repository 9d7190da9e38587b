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

/** The package that the Python guest provides to agents; see `agent_package.py`. */
const agentPackageDir = fileURLToPath(new URL("../../agent-python/src/dari_agent", import.meta.url));

const guestDir = fileURLToPath(new URL("../guest", import.meta.url));

/** The main module of the guest for Node agents, from which one script of all its modules is built. */
export const nodeGuestMain = join(guestDir, "node", "main.mjs");

/** The suffix of the file that loads an agent with all its packages. */
const bundledEnding = ".dari.load.cjs";

/**
 * V8 flags for a bundled agent: memory for everything that its packages create while they load. Most of it stays in
 * use, and with less memory it is copied several times, which takes a fifth of the start. The guest sets each flag to
 * 0, V8's own choice, before it loads the agent.
 */
const bundledAgentFlags: readonly string[] = ["--min-semi-space-size=48", "--max-semi-space-size=48"];
/** Agents with less memory start without these flags: V8 can reserve this memory twice. In bytes. */
const roomyBytes = 1024 ** 3;

/**
 * @param interpreter absolute path of a node (>= 20) or a python (>= 3.10), never a version manager's shim
 * @param o.entryFile the agent's file in its image (default: one that is not bundled)
 * @param o.memoryBytes the agent's memory limit (default: more than enough)
 * @param o.nodeScript absolute path of the Node guest as one script (default: its separate modules)
 */
export function guestCommand(
  language: Language,
  interpreter: string,
  o: {
    readonly entryFile?: string;
    readonly memoryBytes?: number | undefined;
    readonly nodeScript?: string | undefined;
    /** Whether it will be forked for each turn (load-template.ts). Python only. */
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
  // A virtual environment is identified by the path it is started under, and reads from the installation it was made
  // from.
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
    readOnlyPaths: [
      ...(isVirtual ? [environment] : []),
      ...(prefix === "/" || prefix === "/usr" ? [] : [prefix]),
      dir,
      agentPackageDir,
    ],
  };
}

/** `/opt/python/bin/python3` → `/opt/python`: the libraries are beside bin. */
function prefixOf(interpreter: string): string {
  return dirname(dirname(interpreter));
}
