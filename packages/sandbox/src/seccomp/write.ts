// Writes the generated filters: `node packages/sandbox/src/seccomp/write.ts`.

import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { assembleFilter } from "./assemble-filter.ts";

for (const target of ["x64", "arm64"] as const) {
  await writeFile(join(import.meta.dirname, `${target}.bpf`), assembleFilter(target));
}
