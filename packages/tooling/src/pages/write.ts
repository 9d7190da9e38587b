// Writes the generated pages: `node packages/tooling/src/pages/write.ts`.

import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { renderPages } from "./pages.ts";
import { renderPythonClient } from "./python-client/render.ts";
import { withSecurityTable } from "./security-table.ts";
import { renderTypeScriptClient } from "./typescript-client/render.ts";

const root = path.resolve(import.meta.dirname, "../../../..");
for (const [name, text] of Object.entries(renderPages())) await writeFile(path.join(root, "docs", name), text);
const clients = { ...renderPythonClient(), ...renderTypeScriptClient() };
for (const [name, text] of Object.entries(clients)) await writeFile(path.join(root, name), text);
const isolation = path.join(root, "docs/security-isolation.md");
await writeFile(isolation, withSecurityTable(await readFile(isolation, "utf8")));
