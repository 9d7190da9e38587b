// Runs a bundled agent from its code cache. Written beside the bundle by the builder; a cache that does not fit this
// Node is passed over by V8. With DARI_CODE_CACHE set it makes one: what ran while the agent was loaded is compiled.

"use strict";
const { isAscii } = require("node:buffer");
const { readFileSync, writeFileSync } = require("node:fs");
const Module = require("node:module");
const { join } = require("node:path");
const vm = require("node:vm");

const given = "given by the builder";
const filename = join(__dirname, given.script);

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

// Node reads the source maps of modules alone, so a module without code stands in for the script.
const standIn = new Module(filename, module);
standIn.filename = filename;
standIn.paths = module.paths;
standIn._compile(given.mapUrl, filename);

const cachedData = readCache();
const script = new vm.Script(readSource(filename), {
  filename,
  cachedData,
  importModuleDynamically: vm.constants?.USE_MAIN_CONTEXT_DEFAULT_LOADER,
});
if (cachedData !== undefined) free(cachedData);
const loaded = { exports: {} };
script
  .runInThisContext()
  .call(loaded.exports, loaded.exports, Module.createRequire(filename), loaded, filename, __dirname);

// A require of one of these returns the copy that the agent uses.
given.shared.forEach((name, i) => {
  const id = require.resolve(name);
  const entry = new Module(id, module);
  Object.assign(entry, { filename: id, loaded: true, exports: loaded.exports[`shared${i}`] });
  require.cache[id] ??= entry;
});
module.exports = loaded.exports.agent;

if (process.env.DARI_CODE_CACHE) writeFileSync(process.env.DARI_CODE_CACHE, script.createCachedData());
