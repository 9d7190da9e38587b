// Bundles an agent's own sources into one module beside the entrypoint. Runs inside a build sandbox, in the bundle's
// root, because esbuild follows whatever a tenant's sources and tsconfig name. Prints one JSON line; runs none of them.
// argv: JSON {esbuild, entry, target, packagesExternal}

import { readFile } from "node:fs/promises";
import { dirname, extname, join, posix, relative } from "node:path";
import { pathToFileURL } from "node:url";

const { esbuild: esbuildPath, entry, target, packagesExternal } = JSON.parse(process.argv[2]);
const { default: esbuild } = await import(pathToFileURL(esbuildPath).href);

const sourceSuffix = /\.(ts|mts|cts|tsx|js|mjs|cjs|jsx)$/;
const typescriptSuffix = /\.(ts|mts|cts|tsx|jsx)$/;

/** `module` unless the file or its package says CommonJS: agents in TypeScript are written as ES modules. */
async function moduleFormat(file) {
  const suffix = extname(file);
  if (suffix.startsWith(".c")) return "cjs";
  if (suffix.startsWith(".m")) return "esm";
  for (let dir = dirname(file); ; dir = dirname(dir)) {
    const text = await readFile(join(dir, "package.json"), "utf8").catch(() => undefined);
    if (text !== undefined) return JSON.parse(text).type === "commonjs" ? "cjs" : "esm";
    if (dir === ".") return "esm";
  }
}

const banners = {
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

/** In a bundle these would all mean the bundle; each source file gets its own back. */
const ownPlace = {
  "import.meta.url": "__dariFileUrl",
  "import.meta.filename": "__dariFilePath",
  "import.meta.dirname": "__dariFileDir",
  __filename: "__dariFilePath",
  __dirname: "__dariFileDir",
};
const mentionsPlace = /import\s*\.\s*meta|__filename|__dirname/;

function keepPlaces(outputDir) {
  return {
    name: "keep-places",
    setup(build) {
      build.onLoad({ filter: sourceSuffix, namespace: "file" }, async ({ path }) => {
        const source = await readFile(path, "utf8");
        if (!mentionsPlace.test(source) || path.includes("/node_modules/")) return undefined;
        const place = JSON.stringify(relative(outputDir, path).split("/").map(encodeURIComponent).join("/"));
        // On the first line, so that line numbers stay those of the source.
        const prefix =
          `const __dariFileUrl = new URL(${place}, __dariBundleUrl).href, ` +
          `__dariFilePath = __dariToPath(__dariFileUrl), __dariFileDir = __dariDirname(__dariFilePath); `;
        const loader = extname(path).replace(/^\.[cm]?/, "");
        return { contents: prefix + source.replace(/^#!.*/, ""), loader };
      });
    },
  };
}

async function bundle(format) {
  const outfile = entry.replace(/\.[^./]+$/, "") + (format === "cjs" ? ".dari.cjs" : ".dari.mjs");
  const result = await esbuild.build({
    entryPoints: [entry],
    outfile,
    bundle: true,
    format,
    platform: "node",
    target,
    packages: packagesExternal ? "external" : "bundle",
    sourcemap: "linked",
    sourcesContent: false,
    keepNames: true,
    metafile: true,
    write: false,
    logLevel: "silent",
    define: ownPlace,
    banner: { js: banners[format] },
    plugins: [keepPlaces(join(process.cwd(), dirname(entry)))],
  });
  return { result, outfile };
}

function describe({ text, location }) {
  if (!location) return text;
  const column = location.column + 1;
  return `${location.file}:${location.line}:${column}: ${text}\n    ${location.lineText.slice(0, 200)}`;
}

async function compile() {
  let built = await bundle(await moduleFormat(entry));
  const { inputs } = built.result.metafile;
  // Wrapped into an ES module, `module.exports` would lose its names.
  if (inputs[entry]?.format === "cjs" && built.outfile.endsWith(".mjs")) built = await bundle("cjs");
  const sources = Object.keys(inputs).filter((path) => !path.includes("node_modules/"));
  const typescript = sources.some((path) => typescriptSuffix.test(path));
  if (typescript) {
    const { writeFile } = await import("node:fs/promises");
    for (const { path, contents } of built.result.outputFiles) await writeFile(path, contents);
  }
  return {
    ok: true,
    file: typescript ? posix.normalize(built.outfile) : entry,
    sources: sources.length,
    warnings: built.result.warnings.map(describe),
  };
}

function failed(error) {
  const errors = Array.isArray(error?.errors) ? error.errors.map(describe) : [String(error?.message ?? error)];
  return { ok: false, errors };
}

process.stdout.write(`${JSON.stringify(await compile().catch(failed))}\n`);
