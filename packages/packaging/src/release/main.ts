// Cuts a release: `npm run release -- --set 1.2.3` writes the version.

import path from "node:path";
import { parseArgs } from "node:util";
import { writeVersion } from "./version.ts";

const root = path.resolve(import.meta.dirname, "../../../..");
const { values } = parseArgs({ options: { set: { type: "string" } } });
if (values.set !== undefined) await writeVersion(root, values.set);
