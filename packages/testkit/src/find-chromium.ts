// The browser of this machine that tests can drive. It is only looked for: starting one takes a second.

import { accessSync, constants } from "node:fs";
import path from "node:path";

const names = ["chromium", "chromium-browser", "google-chrome-stable", "google-chrome"];

/** The first Chromium on the PATH, whole; undefined when there is none. */
export function findChromium(searchPath: string): string | undefined {
  const candidates = searchPath
    .split(path.delimiter)
    .filter(Boolean)
    .flatMap((dir) => names.map((name) => path.join(dir, name)));
  return candidates.find(isExecutable);
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
