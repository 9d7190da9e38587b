// Writes the generated pages: `node packages/tooling/src/pages/write.ts`.

import { writeFile } from "node:fs/promises";
import path from "node:path";
import { renderPages } from "./pages.ts";

const docs = path.resolve(import.meta.dirname, "../../../../docs");
for (const [name, text] of Object.entries(renderPages())) await writeFile(path.join(docs, name), text);
