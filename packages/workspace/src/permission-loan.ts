// Lets the owner read what an agent locked (chmod 000), and puts the permissions back. For root nothing is locked.

import { chmodSync, lstatSync } from "node:fs";
import { errorCode } from "./errors.ts";

/** Permissions that are taken for a while. Dispose to give them all back, last taken first. */
export class PermissionLoan implements Disposable {
  readonly #taken: { place: string; mode: number }[] = [];
  readonly #isRoot = process.geteuid?.() === 0;

  /** Makes a directory listable and searchable. The caller knows by lstat that it is one. */
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
    // chmod follows symlinks, so one that took this place must not be touched.
    if (stat === undefined || stat.isSymbolicLink() || (stat.mode & bits) === bits) return;
    const mode = stat.mode & 0o7777;
    try {
      chmodSync(place, mode | bits);
      this.#taken.push({ place, mode });
    } catch (error) {
      // Somebody else's: whether it can be read all the same shows when it is opened.
      if (errorCode(error) !== "EPERM") throw error;
    }
  }
}
