// Compiles an agent's sources without running them. Runs inside a build sandbox, in the bundle's root, because esbuild
// reads whatever a tenant's sources and tsconfig name. Prints one JSON line. argv: JSON {esbuild, entry, target,
// packagesExternal, sharedPackages, agentPackage}

import { pathToFileURL } from "node:url";
import { compileOwnSources } from "./own-sources.mjs";
import { bundleWhole } from "./whole-agent.mjs";

const request = JSON.parse(process.argv[2]);
const { default: esbuild } = await import(pathToFileURL(request.esbuild).href);

function describe({ text, location }) {
  if (!location) return text;
  const column = location.column + 1;
  return `${location.file}:${location.line}:${column}: ${text}\n    ${location.lineText.slice(0, 200)}`;
}

async function compile() {
  const { inputs, ...compiled } = await compileOwnSources(esbuild, request);
  const whole = request.packagesExternal ? await bundleWhole(esbuild, request, inputs) : undefined;
  return {
    ok: true,
    ...compiled,
    warnings: compiled.warnings.map(describe),
    ...(whole === undefined ? {} : { whole }),
  };
}

function failed(error) {
  const errors = Array.isArray(error?.errors) ? error.errors.map(describe) : [String(error?.message ?? error)];
  return { ok: false, errors };
}

process.stdout.write(`${JSON.stringify(await compile().catch(failed))}\n`);
