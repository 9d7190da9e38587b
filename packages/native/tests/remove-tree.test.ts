// Whatever was made in a directory is gone afterwards, and nothing that it links to.

import { expect, test } from "@jest/globals";
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, statSync, symlinkSync, writeFileSync, linkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { removeTree } from "../src/index.ts";

/** Creates a tree that is deeper than a path can be, step by step. */
const nest = `import os, sys
os.chdir(sys.argv[1])
for i in range(40):
    os.mkdir("d" * 200)
    os.chdir("d" * 200)
open("bottom", "w").close()
`;

test("nested deeper than a path can be long, closed to everybody, and with links to what is kept", async () => {
  const top = mkdtempSync(join(tmpdir(), "remove-tree-"));
  try {
    const [doomed, kept] = [join(top, "doomed"), join(top, "kept")];
    mkdirSync(join(doomed, "closed"), { recursive: true });
    mkdirSync(kept);
    writeFileSync(join(kept, "file"), "kept", { mode: 0o444 });
    linkSync(join(kept, "file"), join(doomed, "hard"));
    symlinkSync(kept, join(doomed, "soft"));
    execFileSync("python3", ["-c", nest, join(doomed, "closed")]);
    execFileSync("chmod", ["500", join(doomed, "closed"), doomed]);
    await removeTree(doomed);
    expect(existsSync(doomed)).toBe(false);
    expect(statSync(join(kept, "file")).mode & 0o777).toBe(0o444);
    await removeTree(doomed);
  } finally {
    execFileSync("rm", ["-rf", top]);
  }
});
