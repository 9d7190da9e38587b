// In a bundle, `import.meta.url`, `__dirname` and similar names would refer to the bundle. This gives each source file
// its own.

import { readFile } from "node:fs/promises";
import { extname, relative } from "node:path";

export const placeBanners = {
  esm: [
    `import { createRequire as __dariCreateRequire } from "node:module";`,
    `import { fileURLToPath as __dariToPath } from "node:url";`,
    `import { dirname as __dariDirname } from "node:path";`,
    `const __dariBundleUrl = import.meta.url, require = __dariCreateRequire(import.meta.url);`,
  ].join(" "),
  cjs: [
    `const __dariToPath = require("node:url").fileURLToPath, __dariDirname = require("node:path").dirname,`,
    `__dariBundleUrl = require("node:url").pathToFileURL(__filename).href;`,
  ].join(" "),
};

export const placeDefines = {
  "import.meta.url": "__dariFileUrl",
  "import.meta.filename": "__dariFilePath",
  "import.meta.dirname": "__dariFileDir",
  __filename: "__dariFilePath",
  __dirname: "__dariFileDir",
};

const sourceSuffix = /\.(ts|mts|cts|tsx|js|mjs|cjs|jsx)$/;
const mentionsPlace = /import\s*\.\s*meta|__filename|__dirname/;
/** What can come before a directive. The directive must stay the first statement. */
const strictDirective = /^(?:#!.*\n)?(?:\s|\/\/.*\n|\/\*[^]*?\*\/)*(["'])use strict\1;?/;

/** Returns an esbuild plugin. `onPackageFile` gets the files of packages, which otherwise stay unchanged. */
export function keepPlaces(outputDir, { onPackageFile } = {}) {
  return {
    name: "keep-places",
    setup(build) {
      build.onLoad({ filter: sourceSuffix, namespace: "file" }, async ({ path }) => {
        const isPackage = path.includes("/node_modules/");
        if (isPackage && onPackageFile === undefined) return undefined;
        const source = await readFile(path, "utf8");
        if (isPackage) onPackageFile(path, source);
        if (!mentionsPlace.test(source)) return undefined;
        const loader = extname(path).replace(/^\.[cm]?/, "");
        return { contents: withPlace(source, relative(outputDir, path)), loader };
      });
    },
  };
}

/** On the first line, or after its directive, so that line numbers stay the same. */
function withPlace(source, path) {
  const place = JSON.stringify(path.split("/").map(encodeURIComponent).join("/"));
  const constants =
    `const __dariFileUrl = new URL(${place}, __dariBundleUrl).href, ` +
    `__dariFilePath = __dariToPath(__dariFileUrl), __dariFileDir = __dariDirname(__dariFilePath); `;
  const head = strictDirective.exec(source)?.[0] ?? "";
  return head + constants + source.slice(head.length).replace(/^#!.*/, "");
}
