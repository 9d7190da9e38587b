// Notices changes of a bundle's files. Only directories that have such files are watched: `node_modules` costs nothing.

import { statSync, unwatchFile, watch, watchFile, type FSWatcher, type Stats } from "node:fs";
import { dirname, join } from "node:path";

export interface FileWatch extends Disposable {
  /** Watches the directories of these files, relative to the root, from now on. */
  follow(paths: readonly string[]): void;
}

/** How often the root is looked for, which no parent announces. Milliseconds. */
const rootEveryMs = 1_000;

interface Watched {
  readonly watcher: FSWatcher;
  /** Tells a directory from another one of the same path, which was made later. */
  readonly identity: string;
}

/**
 * Calls `onChange` for each change. A new directory is a change of its parent. A directory that is removed and made
 * again is watched again, also the root.
 */
export function watchFiles(root: string, onChange: () => void): FileWatch {
  const watched = new Map<string, Watched>();
  let isFollowing = false;
  const stop = (directory: string): void => {
    watched.get(directory)?.watcher.close();
    watched.delete(directory);
  };
  const start = (directory: string, identity: string): void => {
    try {
      const watcher = watch(join(root, directory), { persistent: false }, (_event, name) => {
        if (name === null || !isIgnored(name)) onChange();
      });
      // The directory was removed. Its parent has seen that.
      watcher.on("error", () => stop(directory));
      watched.set(directory, { watcher, identity });
    } catch {
      // The directory was deleted after it was listed.
    }
  };
  watchFile(root, { persistent: false, interval: rootEveryMs }, (now, before) => {
    if (now.ino !== 0 && identityOf(now) !== identityOf(before)) onChange();
  });
  return {
    follow(paths) {
      const wanted = new Set(paths.flatMap(directoriesOf));
      for (const directory of watched.keys()) if (!wanted.has(directory)) stop(directory);
      let started = 0;
      for (const directory of wanted) {
        const identity = identify(join(root, directory));
        if (identity === undefined || watched.get(directory)?.identity === identity) continue;
        stop(directory);
        start(directory, identity);
        started += 1;
      }
      // A file may have changed between the listing and the start of the watch.
      if (isFollowing && started > 0) onChange();
      isFollowing = true;
    },
    [Symbol.dispose]() {
      unwatchFile(root);
      for (const directory of [...watched.keys()]) stop(directory);
    },
  };
}

function identify(path: string): string | undefined {
  const stats = statSync(path, { throwIfNoEntry: false });
  return stats === undefined ? undefined : identityOf(stats);
}

/** File systems give the number of a removed directory to the next one. */
function identityOf({ dev, ino, birthtimeMs }: Stats): string {
  return `${dev} ${ino} ${birthtimeMs}`;
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
