// Notices changes of a bundle's files. Only directories that have such files are watched: `node_modules` costs nothing.

import { watch, type FSWatcher } from "node:fs";
import { dirname, join } from "node:path";

export interface FileWatch extends Disposable {
  /** Watches the directories of these files, relative to the root, from now on. */
  follow(paths: readonly string[]): void;
}

/** Calls `onChange` for each change. A new directory is a change of its parent. */
export function watchFiles(root: string, onChange: () => void): FileWatch {
  const watched = new Map<string, FSWatcher>();
  const stop = (directory: string): void => {
    watched.get(directory)?.close();
    watched.delete(directory);
  };
  const start = (directory: string): void => {
    try {
      const watcher = watch(join(root, directory), { persistent: false }, (_event, name) => {
        if (name === null || !isIgnored(name)) onChange();
      });
      // The directory was removed. Its parent has seen that.
      watcher.on("error", () => stop(directory));
      watched.set(directory, watcher);
    } catch {
      // The directory was deleted after it was listed.
    }
  };
  return {
    follow(paths) {
      const wanted = new Set(paths.flatMap(directoriesOf));
      for (const directory of watched.keys()) if (!wanted.has(directory)) stop(directory);
      for (const directory of wanted) if (!watched.has(directory)) start(directory);
    },
    [Symbol.dispose]() {
      for (const directory of [...watched.keys()]) stop(directory);
    },
  };
}

/** Returns the directory of a path and all above it, up to the root. */
export function directoriesOf(path: string): string[] {
  const directories: string[] = [];
  for (let directory = dirname(path); directory !== "."; directory = dirname(directory)) directories.push(directory);
  return [...directories, "."];
}

function isIgnored(name: string): boolean {
  return [".git", ".dari", "node_modules", "__pycache__", ".venv"].includes(name);
}
