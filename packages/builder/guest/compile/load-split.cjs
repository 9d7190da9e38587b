// Runs an agent whose packages are a script of their own, with a code cache; one that does not fit this Node is passed
// over by V8. With DARI_CODE_CACHE set it runs the packages alone and makes one, and beside it says what they export.

"use strict";
const { isAscii } = require("node:buffer");
const { readFileSync, writeFileSync } = require("node:fs");
const Module = require("node:module");
const { join } = require("node:path");
const vm = require("node:vm");

const given = "given by the builder";
const importModuleDynamically = vm.constants?.USE_MAIN_CONTEXT_DEFAULT_LOADER;

function readCache() {
  try {
    return readFileSync(join(__dirname, given.cache));
  } catch {
    return undefined;
  }
}

/** Gives back at once what the collector would keep for long; small files share their memory with others. */
function free({ buffer, byteLength }) {
  // Not in Node 20.
  if (buffer.byteLength === byteLength) buffer.transfer?.(0);
}

/** A text in ASCII takes half the memory, and none of the heap's. */
function readSource(file) {
  const bytes = readFileSync(file);
  const source = bytes.toString(isAscii(bytes) ? "latin1" : "utf8");
  free(bytes);
  return source;
}

function compile(name, cachedData) {
  const filename = join(__dirname, name);
  return new vm.Script(readSource(filename), { filename, cachedData, importModuleDynamically });
}

function run(script, name, requires) {
  const loaded = { exports: {} };
  const filename = join(__dirname, name);
  script.runInThisContext().call(loaded.exports, loaded.exports, requires, loaded, filename, __dirname);
  return loaded.exports;
}

const ownRequire = Module.createRequire(join(__dirname, given.packages));
const cache = readCache();
const script = compile(given.packages, cache);
if (cache !== undefined) free(cache);
const bundled = run(script, given.packages, ownRequire);
const packages = new Map(given.names.map((name, i) => [given.mark + name, bundled[`p${i}`]]));

if (process.env.DARI_CODE_CACHE) {
  const names = [...packages].map(([name, one]) => [name.slice(given.mark.length), Object.getOwnPropertyNames(one)]);
  writeFileSync(`${process.env.DARI_CODE_CACHE}.json`, JSON.stringify(Object.fromEntries(names)));
  writeFileSync(process.env.DARI_CODE_CACHE, script.createCachedData());
  // What a package has started must not keep this run.
  process.exit(0);
}

// Node reads the source maps of modules alone, so a module without code stands in for the script.
const ownPath = join(__dirname, given.own);
const standIn = new Module(ownPath, module);
standIn.filename = ownPath;
standIn.paths = module.paths;
standIn._compile(given.mapUrl, ownPath);

const loaded = run(compile(given.own), given.own, (name) => packages.get(name) ?? ownRequire(name));

// Whoever asks for one of these gets the copy that the agent holds.
for (const name of given.shared) {
  const id = require.resolve(name);
  const entry = new Module(id, module);
  Object.assign(entry, { filename: id, loaded: true, exports: packages.get(given.mark + name) });
  require.cache[id] ??= entry;
}
module.exports = loaded.agent;
