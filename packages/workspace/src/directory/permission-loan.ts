// Makes files and directories readable that an agent has locked (chmod 000), and restores their permissions afterwards.
// Does nothing for root, which can read them anyway.

import { chmodSync, lstatSync } from "node:fs";
import { errorCode } from "../errors.ts";

/** Temporary permissions. Disposing restores the original ones, in reverse order. */
export class PermissionLoan implements Disposable {
  readonly #taken: { place: string; mode: number }[] = [];
  readonly #isRoot = process.geteuid?.() === 0;

  /** Makes a directory listable and searchable. The caller has checked with lstat that the path is a directory. */
  takeFolder(place: string): void {
    this.#take(place, 0o500);
  }

  /** Makes a file readable until the returned function is called. */
  takeFile(place: string): () => void {
    this.#take(place, 0o400);
    const taken = this.#taken.at(-1);
    return () => {
      if (taken === undefined || taken.place !== place) return;
      this.#taken.splice(this.#taken.indexOf(taken), 1);
      chmodSync(place, taken.mode);
    };
  }

  /** Makes a file writable. */
  takeForWriting(place: string): void {
    this.#take(place, 0o200);
  }

  [Symbol.dispose](): void {
    for (const { place, mode } of this.#taken.reverse()) chmodSync(place, mode);
    this.#taken.length = 0;
  }

  #take(place: string, bits: number): void {
    if (this.#isRoot) return;
    const stat = lstatSync(place, { throwIfNoEntry: false });
    // chmod follows symlinks, so do nothing if a symlink has replaced the entry.
    if (stat === undefined || stat.isSymbolicLink() || (stat.mode & bits) === bits) return;
    const mode = stat.mode & 0o7777;
    try {
      chmodSync(place, mode | bits);
      this.#taken.push({ place, mode });
    } catch (error) {
      // The file belongs to another user. Opening it will show whether it can be read.
      if (errorCode(error) !== "EPERM") throw error;
    }
  }
}
