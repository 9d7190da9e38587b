// Builds the packages: `node packages/packaging/src/main.ts [directory]`.

import path from "node:path";
import { buildPackages } from "./build-packages.ts";

const root = path.resolve(import.meta.dirname, "../../..");
const [directory = path.join(root, "packages/packaging/dist")] = process.argv.slice(2);
for (const { file, sizeBytes } of await buildPackages(root, directory)) {
  process.stdout.write(`${path.join(directory, file)} ${(sizeBytes / 1000).toFixed(0)} kB\n`);
}
