// The agent's own sources and its packages as two scripts, so that packages that have not changed are bundled once for
// many builds. Only where one script would run the same code in the same order; elsewhere there is one script.

import { readFile, rm, writeFile } from "node:fs/promises";
import { isBuiltin } from "node:module";
import { dirname, extname, join, posix } from "node:path";
import { keepOwnMappings } from "./own-map.mjs";
import { keepPlaces } from "./places.mjs";
import { withPlainNames } from "./plain-names.mjs";
import { asFunction, buildOptions, compact, entryName, findsModules, obstacleOf, reasonOf } from "./whole-agent.mjs";

const loaderTemplate = new URL("./load-split.cjs", import.meta.url);
const codeSuffix = /\.[cm]?[jt]sx?$/;
/** What stands for a package in the agent's own script; no package can be called so. */
const mark = "dari:";
/** esbuild's name for what it adds itself. */
export const helpers = "<runtime>";
const plainName = /^[@\w./-]+$/;

/**
 * The packages that the sources import, in the order in which they run. Undefined where a package would run after a
 * source, is not imported by a statement, or is not the same to all sources.
 */
export async function planSplit(entry, inputs) {
  const packages = new Set();
  const importers = new Set();
  const seen = new Set();
  let sourcesRun = 0;
  const visit = (path) => {
    if (seen.has(path)) return true;
    seen.add(path);
    const { imports, format } = inputs[path];
    if (format === "cjs") return false;
    const fits = imports.every((one) => {
      if (one.external && (isBuiltin(one.path) || one.path === helpers)) return true;
      if (one.kind !== "import-statement") return false;
      if (!one.external) return visit(one.path);
      importers.add(path);
      if (packages.has(one.path)) return true;
      packages.add(one.path);
      return sourcesRun === 0 && plainName.test(one.path);
    });
    if (codeSuffix.test(path)) sourcesRun += 1;
    return fits;
  };
  if (!visit(entry) || packages.size === 0) return undefined;
  const modes = await Promise.all([...importers].map(isNodeModule));
  // Also what stands in for the sources when the packages are bundled.
  const all = new Set([...modes, await isNodeModule(standInFor(entry, modes[0]))]);
  return all.size === 1 ? { packages: [...packages], isNodeModule: modes[0] } : undefined;
}

/** A file, because esbuild judges by name and place how one imports CommonJS. */
function standInFor(entry, isModule) {
  return posix.join(dirname(entry), isModule ? "dari-packages.mjs" : "dari-packages.js");
}

/** Whether a CommonJS package is its own default export to this file, as in Node, or what it says it is. */
async function isNodeModule(file) {
  const suffix = extname(file);
  if (/^\.[cm]/.test(suffix)) return suffix.startsWith(".m");
  for (let dir = dirname(file); ; dir = dirname(dir)) {
    const text = await readFile(join(dir, "package.json"), "utf8").catch(() => undefined);
    if (text !== undefined) return JSON.parse(text).type === "module";
    if (dir === ".") return false;
  }
}

export function namesOf(entry) {
  const stem = entry.replace(/\.[^./]+$/, "");
  const names = { own: "own.cjs", map: "own.cjs.map", packages: "packages.cjs", cache: "cache", loader: "load.cjs" };
  return Object.fromEntries(Object.entries(names).map(([key, end]) => [key, posix.normalize(`${stem}.dari.${end}`)]));
}

/** Writes the agent's own script and the loader of both. @returns the names that it takes of each package. */
export async function writeOwnScript(esbuild, request, plan, shared) {
  const names = namesOf(request.entry);
  const dir = join(process.cwd(), dirname(request.entry));
  const { outputFiles } = await esbuild.build({
    ...buildOptions(request),
    stdin: {
      contents: `export * as agent from ${JSON.stringify(`./${posix.basename(request.entry)}`)};`,
      resolveDir: dir,
      sourcefile: entryName,
      loader: "js",
    },
    outfile: join(process.cwd(), names.own),
    sourcemap: "linked",
    sourcesContent: false,
    plugins: [leaveOut(plan.packages), keepPlaces(dir)],
  });
  const textOf = (suffix) => outputFiles.find(({ path }) => path.endsWith(suffix)).text;
  const mapUrl = `//# sourceMappingURL=${encodeURIComponent(posix.basename(names.map))}\n`;
  // What stands for a package is the very namespace that an import gives.
  const text = textOf(".cjs").replaceAll(/__toESM\((require\("dari:[^"]+"\))(?:, 1)?\)/g, "$1");
  await writeFile(names.own, asFunction(text.replace(/\/\/# sourceMappingURL=.*\n?$/, "") + mapUrl));
  await writeFile(
    names.map,
    keepOwnMappings(textOf(".map"), (source) => source !== entryName),
  );
  const given = { mark, names: plan.packages, shared, mapUrl };
  for (const key of ["own", "packages", "cache"]) given[key] = posix.basename(names[key]);
  const loader = await readFile(loaderTemplate, "utf8");
  await writeFile(
    names.loader,
    loader.replace(`"given by the builder"`, () => JSON.stringify(given)),
  );
  return usedNames(text);
}

function leaveOut(packages) {
  return {
    name: "leave-out",
    setup(build) {
      build.onResolve({ filter: /^[^./]/ }, ({ path, kind }) =>
        kind === "import-statement" && packages.includes(path) ? { path: mark + path, external: true } : undefined,
      );
    },
  };
}

/** By package. A name too many is no harm: then there is one script. */
function usedNames(text) {
  const used = {};
  for (const [, variable, name] of text.matchAll(/\bvar (\w+) = require\("dari:([^"]+)"\)/g)) {
    const uses = text.matchAll(new RegExp(String.raw`\b${variable}\.([\w$]+)`, "g"));
    used[name] = [...new Set([...(used[name] ?? []), ...[...uses].map(([, one]) => one)])].sort();
  }
  return used;
}

/** Writes the script of packages. @returns {} or {reason} where they cannot be bundled. */
export async function bundlePackages(esbuild, request, plan) {
  const names = namesOf(request.entry);
  const dir = join(process.cwd(), dirname(request.entry));
  const name = standInFor(request.entry, plan.isNodeModule);
  const lines = plan.packages.map((one, i) => `export * as p${i} from ${JSON.stringify(one)};`);
  await writeFile(name, lines.join("\n"), { flag: "wx" });
  try {
    const finders = [];
    const { outputFiles, warnings } = await esbuild.build({
      ...buildOptions(request),
      entryPoints: [name],
      outfile: join(process.cwd(), names.packages),
      plugins: [keepPlaces(dir, { onPackageFile: (path, source) => findsModules.test(source) && finders.push(path) })],
    });
    const reason = obstacleOf(warnings, finders, outputFiles);
    if (reason !== undefined) return { reason };
    await writeFile(names.packages, asFunction(await compact(esbuild, withPlainNames(outputFiles[0].text))));
    return {};
  } catch (error) {
    return { reason: reasonOf(error) };
  } finally {
    await rm(name, { force: true });
  }
}
