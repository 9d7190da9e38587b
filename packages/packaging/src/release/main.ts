// `npm run release` builds what a release publishes. `npm run release -- --set 1.2.3` writes the version instead.

import { execFileSync } from "node:child_process";
import path from "node:path";
import { parseArgs } from "node:util";
import { buildRelease } from "./build-release.ts";
import { writeVersion } from "./version.ts";

const root = path.resolve(import.meta.dirname, "../../../..");
const { values } = parseArgs({
  options: { set: { type: "string" }, out: { type: "string", default: path.join(root, ".cache/release") } },
});

if (values.set === undefined) {
  const changed = execFileSync("git", ["status", "--porcelain"], { cwd: root, encoding: "utf8" });
  if (changed !== "") throw new Error(`a release is built from a commit; commit or remove first:\n${changed}`);
  const directory = path.resolve(values.out);
  await buildRelease(root, directory);
  process.stdout.write(`${directory}\n`);
} else {
  await writeVersion(root, values.set);
}
