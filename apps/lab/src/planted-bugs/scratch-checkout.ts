// A copy of the sources that can be damaged. Installed packages are shared with the checkout.

import { cpSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { checkout } from "../program.ts";

const copied = ["package.json", "jest.config.mjs", "packages", "apps"] as const;
/** What running and building leaves behind. */
const leftOut = /^(\.dari.*|\.cache|coverage|.*\.log)$/;

export interface ScratchCheckout extends Disposable {
  readonly root: string;
}

export function makeScratchCheckout(): ScratchCheckout {
  const root = mkdtempSync(join(tmpdir(), "dari-planted-"));
  for (const name of copied) {
    // Links stay relative: packages find each other inside the copy, and everything else where it is installed.
    cpSync(join(checkout, name), join(root, name), {
      recursive: true,
      verbatimSymlinks: true,
      filter: (path) => !leftOut.test(basename(path)),
    });
  }
  symlinkSync(join(checkout, "node_modules"), join(root, "node_modules"));
  return { root, [Symbol.dispose]: () => rmSync(root, { recursive: true, force: true }) };
}
