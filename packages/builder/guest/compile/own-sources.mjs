// Bundles the agent's own sources into one module beside the entrypoint. Packages are imported from where they are
// installed.

import { readFile, writeFile } from "node:fs/promises";
import { dirname, extname, join, posix } from "node:path";
import { isAgentPackage, provideAgentPackage } from "./agent-package.mjs";
import { keepPlaces, placeBanners, placeDefines } from "./places.mjs";

const typescriptSuffix = /\.(ts|mts|cts|tsx|jsx)$/;

/** `module` unless the file or its package says CommonJS: agents in TypeScript are usually ES modules. */
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

async function bundle(esbuild, { entry, target, packagesExternal, agentPackage }, format) {
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
    define: placeDefines,
    banner: { js: placeBanners[format] },
    plugins: [provideAgentPackage(agentPackage), keepPlaces(join(process.cwd(), dirname(entry)))],
  });
  return { result, outfile };
}

/**
 * Writes the module if any source is TypeScript, or imports the package that only the bundle has. `file` is what to
 * run; `inputs` are esbuild's, by path.
 */
export async function compileOwnSources(esbuild, request) {
  const { entry } = request;
  let built = await bundle(esbuild, request, await moduleFormat(entry));
  const { inputs } = built.result.metafile;
  // Wrapped into an ES module, `module.exports` would lose its names.
  if (inputs[entry]?.format === "cjs" && built.outfile.endsWith(".mjs")) built = await bundle(esbuild, request, "cjs");
  const paths = Object.keys(inputs);
  const sources = paths.filter((path) => !path.includes("node_modules/") && !isAgentPackage(path));
  const isBundled = paths.some((path) => isAgentPackage(path)) || sources.some((path) => typescriptSuffix.test(path));
  if (isBundled) {
    for (const { path, contents } of built.result.outputFiles) await writeFile(path, contents);
  }
  return {
    file: isBundled ? posix.normalize(built.outfile) : entry,
    sources: sources.length,
    warnings: built.result.warnings,
    inputs,
  };
}
