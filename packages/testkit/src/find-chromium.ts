// Finds a browser that tests can use. It is not started, because that takes a second.

import { accessSync, constants } from "node:fs";
import path from "node:path";

const names = ["chromium", "chromium-browser", "google-chrome-stable", "google-chrome"];

/** Returns the absolute path of the first Chromium on the PATH; undefined if there is none. */
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
