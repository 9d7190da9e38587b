// Finds installed Python packages whose versions no requirement pins.

import { access, readdir } from "node:fs/promises";
import { join, posix } from "node:path";
import { pythonDependencyDir, readOptional } from "./installer.ts";

/** Maximum depth of requirements files that include others. */
const includesMax = 5;
const namesShown = 5;

/** Returns the packages that a requirements file and the files it includes pin, by normalized name. */
export async function readPins(root: string, file: string): Promise<ReadonlySet<string>> {
  const pins = new Set<string>();
  // Each file is read once, because files can include each other many times.
  const read = new Set<string>();

  async function add(name: string, depth: number): Promise<void> {
    if (read.has(name)) return;
    read.add(name);
    const text = await readOptional(root, name);
    for (const line of (text ?? "").replaceAll("\\\n", " ").split("\n")) {
      const included = /^\s*(?:-r|-c|--requirement|--constraint)[\s=]+([^\s#]+)/.exec(line)?.[1];
      const pinned = /^\s*([\w.-]+)\s*(?:\[[^\]]*\]\s*)?={2,3}\s*[^\s,*;]+\s*(?:$|[;#]|--)/.exec(line)?.[1];
      if (pinned !== undefined) pins.add(normalized(pinned));
      if (included === undefined || depth === includesMax) continue;
      const path = posix.join(posix.dirname(name), included);
      if (!path.startsWith("../") && !posix.isAbsolute(path)) await add(path, depth + 1);
    }
  }

  await add(file, 0);
  return pins;
}

/** Returns a warning with the installed packages outside `pins`; undefined if there are none. */
export async function describeUnpinned(root: string, pins: ReadonlySet<string>): Promise<string | undefined> {
  const loose: string[] = [];
  for (const entry of await readdir(join(root, pythonDependencyDir)).catch(() => [])) {
    const name = /^(.+?)-[^-]+\.dist-info$/.exec(entry)?.[1];
    if (name === undefined || pins.has(normalized(name))) continue;
    // A package from a path or a URL has only one version.
    if (!(await exists(join(root, pythonDependencyDir, entry, "direct_url.json")))) loose.push(normalized(name));
  }
  if (loose.length === 0) return undefined;
  const shown = loose.sort().slice(0, namesShown).join(", ");
  const more = loose.length > namesShown ? `, and ${loose.length - namesShown} more` : "";
  const advice = "pin every package (pip freeze), or add uv.lock";
  return `no file pins the versions of ${shown}${more}, so each build can install different versions; ${advice}`;
}

const normalized = (name: string): string => name.toLowerCase().replaceAll(/[-_.]+/g, "-");

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
