// Bundles the agent and its packages into one precompiled script, but only if that changes nothing: an agent that finds
// code or files by itself at run time stays unchanged (docs/decisions/0008-bundled-agents.md).

import { readFile, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join, posix, relative } from "node:path";
import { pathToFileURL } from "node:url";
import { isAgentPackage, provideAgentPackage } from "./agent-package.mjs";
import { keepOwnMappings } from "./own-map.mjs";
import { keepPlaces, placeBanners, placeDefines } from "./places.mjs";

const loaderTemplate = new URL("./load-whole.cjs", import.meta.url);
/** esbuild's warnings about code that does not work in a bundle. */
const obstacles = [
  "unsupported-require-call",
  "unsupported-dynamic-import",
  "indirect-require",
  "require-resolve-not-external",
  "empty-import-meta",
];
/** Ways to find modules that esbuild does not know. */
const findsModules = new RegExp(
  [
    String.raw`\bcreateRequire\b`,
    String.raw`\brequire\s*\.\s*(resolve|cache|extensions)\b`,
    String.raw`\bModule\s*\.\s*_`,
    String.raw`\bimport\s*\.\s*meta\s*\.\s*resolve\b`,
  ].join("|"),
);
const entryName = "dari-entry.js";
/** esbuild's name for its own helpers. */
const helpers = "<runtime>";
/** Reading a larger script takes longer than bundling saves. */
const scriptBytesMax = 32 * 1024 * 1024;

/**
 * Writes `<entry>.dari.bundle.cjs` and `<entry>.dari.load.cjs`, which runs it from its code cache.
 * @returns {file, cache} of the loader and of the code cache that its first run creates; `{reason}` if the agent stays
 *   unchanged; undefined if it uses no package.
 */
export async function bundleWhole(esbuild, request, ownInputs) {
  const imported = packagesOf(ownInputs);
  if (imported.length === 0) return undefined;
  const shared = imported.filter((name) => request.sharedPackages.includes(name));
  const require = createRequire(pathToFileURL(join(process.cwd(), request.entry)));
  for (const name of shared) {
    if (!resolves(require, name)) return { reason: `${name} cannot be shared with what runs it` };
  }
  const finders = await ownFinders(ownInputs);
  try {
    const onPackageFile = (path, source) => findsModules.test(source) && finders.push(path);
    const built = await build(esbuild, request, shared, onPackageFile);
    const reason = obstacleOf(built.warnings, finders, built.outputFiles);
    return reason === undefined ? await write(esbuild, built, request, shared) : { reason };
  } catch (error) {
    return { reason: reasonOf(error) };
  }
}

const isOwnSource = (path) => path !== entryName && !path.includes("node_modules/") && !isAgentPackage(path);

/** Returns what esbuild could not do, in one line. */
function reasonOf(error) {
  if (!Array.isArray(error?.errors)) return String(error?.message ?? error);
  const { text, location } = error.errors[0] ?? { text: "it cannot be bundled" };
  return location ? `${location.file}: ${text}` : text;
}

/** Returns why a bundle would behave differently; undefined if it would not. */
function obstacleOf(warnings, finders, outputFiles) {
  if (finders.length > 0) return `${relative(process.cwd(), finders.sort()[0])} finds modules by itself`;
  const obstacle = warnings.find(({ id }) => obstacles.includes(id));
  if (obstacle !== undefined) return `${obstacle.location?.file ?? "it"}: ${obstacle.text}`;
  const script = outputFiles.find(({ path }) => path.endsWith(".cjs"));
  return script.contents.length > scriptBytesMax ? "it is too large" : undefined;
}

function buildOptions({ target }) {
  return {
    bundle: true,
    format: "cjs",
    platform: "node",
    target,
    conditions: conditionsOf(target),
    // Packages can be wrong about their side effects.
    ignoreAnnotations: true,
    keepNames: true,
    write: false,
    legalComments: "none",
    logLevel: "silent",
    // V8 stores a text with a single non-ASCII character, such as one in a comment, in twice the space.
    minifyWhitespace: true,
    lineLimit: 160,
    logOverride: Object.fromEntries(obstacles.map((id) => [id, "warning"])),
    define: placeDefines,
    banner: { js: placeBanners.cjs },
  };
}

/**
 * Wraps a script for the loader in a function that begins on the script's first line, so that line numbers stay the
 * same.
 */
const asFunction = (text) => `(function (exports, require, module, __filename, __dirname) { ${text}\n})`;

/** Own sources that could load a second copy of a package. */
async function ownFinders(inputs) {
  const found = [];
  for (const path of Object.keys(inputs).filter((one) => /\.[cm]?[jt]sx?$/.test(one))) {
    if (findsModules.test(await readFile(path, "utf8"))) found.push(path);
  }
  return found;
}

function packagesOf(inputs) {
  const imports = Object.values(inputs).flatMap((input) => input.imports);
  const isPackage = ({ external, path }) => external && !isBuiltin(path) && path !== helpers;
  const names = imports.filter(isPackage).map(({ path }) => path);
  return [...new Set(names)].sort();
}

const isBuiltin = (path) => path.startsWith("node:") || createRequire(import.meta.url)("node:module").isBuiltin(path);

function resolves(require, name) {
  try {
    return require.resolve(name) !== undefined;
  } catch {
    return false;
  }
}

function build(esbuild, request, shared, onPackageFile) {
  const dir = join(process.cwd(), dirname(request.entry));
  const contents = [
    `export * as agent from ${JSON.stringify(`./${posix.basename(request.entry)}`)};`,
    ...shared.map((name, i) => `export * as shared${i} from ${JSON.stringify(name)};`),
  ].join("\n");
  return esbuild.build({
    ...buildOptions(request),
    stdin: { contents, resolveDir: dir, sourcefile: entryName, loader: "js" },
    outfile: join(dir, "bundle.cjs"),
    sourcemap: "linked",
    sourcesContent: false,
    plugins: [provideAgentPackage(request.agentPackage), keepPlaces(dir, { onPackageFile })],
  });
}

/** Node's own conditions, without the "module" that esbuild would add, for which packages have other builds. */
function conditionsOf(target) {
  const [major, minor] = target.replace("node", "").split(".").map(Number);
  const hasModuleSync = major > 22 || (major === 22 && minor >= 10) || (major === 20 && minor >= 19);
  return ["node", "node-addons", ...(hasModuleSync ? ["module-sync"] : [])];
}

async function write(esbuild, { outputFiles }, { entry }, shared) {
  const stem = entry.replace(/\.[^./]+$/, "");
  const names = { script: `${stem}.dari.bundle.cjs`, map: `${stem}.dari.bundle.cjs.map`, cache: `${stem}.dari.cache` };
  const map = outputFiles.find(({ path }) => path.endsWith(".map"));
  const script = outputFiles.find(({ path }) => path.endsWith(".cjs"));
  const mapUrl = `//# sourceMappingURL=${encodeURIComponent(posix.basename(names.map))}\n`;
  const text = script.text.replace(/\/\/# sourceMappingURL=.*\n?$/, "") + mapUrl;
  await writeFile(names.script, asFunction(text));
  await writeFile(names.map, keepOwnMappings(map.text, isOwnSource));
  const file = `${stem}.dari.load.cjs`;
  const given = { script: posix.basename(names.script), cache: posix.basename(names.cache), shared, mapUrl };
  const loader = await readFile(loaderTemplate, "utf8");
  await writeFile(
    file,
    loader.replace(`"given by the builder"`, () => JSON.stringify(given)),
  );
  return { file: posix.normalize(file), cache: posix.normalize(names.cache) };
}
