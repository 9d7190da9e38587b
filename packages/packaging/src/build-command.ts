// Builds the command: one file that an old Node can also read, to say which one is needed.

import { build } from "esbuild";
import path from "node:path";
import type { PackageFile } from "./packages.ts";
import { documentsOf, readManifest, renderManifest } from "./manifest.ts";
import { noticesOf } from "./notices.ts";
import { archiveName, packArchive } from "./pack-archive.ts";

const oldestNode = "20";
/** Older Node versions can read the file, so that they print which one is needed. */
const syntax = "node16";

export async function buildCommand(folder: string): Promise<PackageFile> {
  const manifest = await readManifest(folder);
  const { outputFiles, metafile } = await build({
    absWorkingDir: folder,
    entryPoints: [path.join(folder, "bin/packaged.mjs")],
    bundle: true,
    platform: "node",
    // CommonJS starts faster, and a dynamic import in it runs a module when it is needed.
    format: "cjs",
    target: syntax,
    minify: true,
    legalComments: "none",
    metafile: true,
    write: false,
    outfile: "dari.cjs",
    logLevel: "error",
  });
  const published = { ...manifest, engines: { node: `>=${oldestNode}` }, bin: { dari: "dari.cjs" } };
  const files = [
    { path: "package.json", content: renderManifest(published) },
    { path: "dari.cjs", content: outputFiles[0]!.contents, isExecutable: true },
    ...(await documentsOf(folder)),
    { path: "THIRD_PARTY_NOTICES", content: await noticesOf(metafile, folder) },
  ];
  const { name, version } = manifest;
  return { name, version, file: archiveName(name), content: await packArchive(files) };
}
