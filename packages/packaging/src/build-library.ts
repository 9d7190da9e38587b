// Builds a library: ES modules for Node, Deno, Bun, browsers and bundlers, with their types.

import { build } from "esbuild";
import { execFile } from "node:child_process";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { documentsOf, readManifest, renderManifest } from "./manifest.ts";
import { noticesOf } from "./notices.ts";
import { archiveName, packArchive, type ArchivedFile } from "./pack-archive.ts";
import type { PackageFile } from "./packages.ts";

const oldestNode = "18";

interface LibraryManifest {
  readonly exports: Readonly<Record<string, string>>;
  readonly bin?: Readonly<Record<string, string>>;
  /** Packages that users install beside it. All others are bundled. */
  readonly peerDependencies?: Readonly<Record<string, string>>;
  readonly peerDependenciesMeta?: object;
}

/** One module that users import or run. */
interface Entry {
  /** Its path in the package, without its ending. */
  readonly out: string;
  readonly in: string;
}

export async function buildLibrary(folder: string): Promise<PackageFile> {
  const manifest = await readManifest(folder);
  const own = JSON.parse(await readFile(path.join(folder, "package.json"), "utf8")) as LibraryManifest;
  const { exports, bin = {}, peerDependencies: peers = {}, peerDependenciesMeta } = own;
  const modules = Object.entries(exports).map(([name, source]) => ({ name, out: outOf(name), in: source }));
  const commands = Object.entries(bin).map(([name, source]) => ({ name, out: `bin/${name}`, in: source }));
  const [{ scripts, metafile }, types] = await Promise.all([
    bundle(folder, [...modules, ...commands], Object.keys(peers)),
    typesOf(
      folder,
      modules.map((module) => module.in),
      Object.keys(peers),
    ),
  ]);
  const published = {
    ...manifest,
    type: "module",
    engines: { node: `>=${oldestNode}` },
    sideEffects: false,
    types: "./types/index.d.ts",
    exports: {
      ...Object.fromEntries(
        modules.map(({ name, out }) => [name, { types: `./types/${out}.d.ts`, default: `./${out}.js` }]),
      ),
      "./package.json": "./package.json",
    },
    ...(commands.length === 0 ? {} : { bin: Object.fromEntries(commands.map(({ name, out }) => [name, `${out}.js`])) }),
    ...(own.peerDependencies === undefined ? {} : { peerDependencies: publishedPeers(peers, manifest.version) }),
    ...(peerDependenciesMeta === undefined ? {} : { peerDependenciesMeta }),
  };
  const notices = await noticesOf(metafile, folder);
  const files = [
    { path: "package.json", content: renderManifest(published) },
    ...scripts,
    ...types,
    ...(await documentsOf(folder)),
    ...(notices === "" ? [] : [{ path: "THIRD_PARTY_NOTICES", content: notices }]),
  ];
  const { name, version } = manifest;
  return { name, version, file: archiveName(name), content: await packArchive(files) };
}

/** Packages of this repository are released together, so they have one version. */
function publishedPeers(peers: Readonly<Record<string, string>>, version: string): Record<string, string> {
  const published = Object.entries(peers).map(([name, range]) => [name, range === "workspace:*" ? version : range]);
  return Object.fromEntries(published) as Record<string, string>;
}

/** `.` → `index`, `./local` → `local` */
function outOf(name: string): string {
  return name === "." ? "index" : name.slice("./".length);
}

async function bundle(folder: string, entries: readonly Entry[], peers: readonly string[]) {
  const { outputFiles, metafile } = await build({
    absWorkingDir: folder,
    entryPoints: entries.map((entry) => ({ in: path.join(folder, entry.in), out: entry.out })),
    bundle: true,
    // What several entries import is in one file that they share.
    splitting: entries.length > 1,
    format: "esm",
    target: ["es2022", `node${oldestNode}`],
    external: ["node:*", ...peers],
    legalComments: "none",
    metafile: true,
    write: false,
    outdir: folder,
    logLevel: "error",
  });
  const scripts = outputFiles.map((file): ArchivedFile => {
    const name = path.relative(folder, file.path);
    return { path: name, content: file.contents, isExecutable: name.startsWith("bin/") };
  });
  return { scripts, metafile };
}

/** Returns the declarations of every module, which import each other by the names of their scripts. */
async function typesOf(folder: string, sources: readonly string[], peers: readonly string[]): Promise<ArchivedFile[]> {
  const directory = await mkdtemp(path.join(tmpdir(), "dari-types-"));
  try {
    await declare(folder, sources, directory);
    const own = path.join(directory, path.basename(folder), "src");
    const names = (await readdir(own, { recursive: true })).filter((name) => name.endsWith(".d.ts")).sort();
    return await Promise.all(names.map((name) => declarationFile(own, name, peers)));
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** Writes the declarations of a library, and of the packages of this repository that it imports, to `directory`. */
async function declare(folder: string, sources: readonly string[], directory: string): Promise<void> {
  const { resolve } = createRequire(import.meta.url);
  const compilerOptions = {
    noEmit: false,
    declaration: true,
    emitDeclarationOnly: true,
    rootDir: path.dirname(folder),
    outDir: directory,
    typeRoots: [path.resolve(resolve("@types/node/package.json"), "../..")],
  };
  const base = path.join(folder, "../../tsconfig.base.json");
  const config = { extends: base, compilerOptions, files: sources.map((source) => path.join(folder, source)) };
  const file = path.join(directory, "tsconfig.json");
  await writeFile(file, JSON.stringify(config));
  const compiler = path.resolve(resolve("typescript/package.json"), "../lib/tsc.js");
  await promisify(execFile)(process.execPath, [compiler, "-p", file]);
}

/** @throws if its types need another package of this repository, which users do not have. */
async function declarationFile(directory: string, name: string, peers: readonly string[]): Promise<ArchivedFile> {
  const content = withScriptNames(await readFile(path.join(directory, name), "utf8"));
  const named = [...content.matchAll(/(?:from |import\()"(@dari\/[^"]+)"/g)].map(([, specifier = ""]) => specifier);
  const foreign = named.find((specifier) => !peers.includes(specifier));
  if (foreign !== undefined) throw new Error(`${name} exports types of ${foreign}, which is not part of the package`);
  return { path: `types/${name.split(path.sep).join("/")}`, content };
}

function withScriptNames(declarations: string): string {
  return declarations.replace(/((?:from|import) ?\(?")(\.[^"]+)\.ts"/g, '$1$2.js"');
}
