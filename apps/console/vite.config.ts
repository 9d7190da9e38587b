// How the console is built: hashed assets under /console/, nothing inline, so that the strictest CSP holds.

import { readdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import { defineConfig, type Plugin } from "vite";

/** Modules of the contract do nothing when they are loaded: what no page uses of them is left out. */
const pureModules = /\/(packages\/(client|contract|domain)|node_modules\/(ajv|ajv-formats|js-yaml|typebox))\//;

/** Writes each asset packed beside itself, for the API to send to browsers that take it. */
const packAssets: Plugin = {
  name: "pack-assets",
  async writeBundle({ dir = "" }) {
    const assets = path.join(dir, "assets");
    const names = (await readdir(assets)).filter((name) => /\.(js|css|svg)$/.test(name));
    for (const file of names.map((name) => path.join(assets, name))) {
      await writeFile(`${file}.gz`, await promisify(gzip)(await readFile(file), { level: 9 }));
    }
  },
};

export default defineConfig({
  base: "/console/",
  resolve: { alias: { typebox: path.join(import.meta.dirname, "src/data/no-schemas.ts") } },
  plugins: [packAssets],
  build: {
    target: "es2022",
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    rolldownOptions: { treeshake: { moduleSideEffects: (id) => !pureModules.test(id) } },
  },
});
