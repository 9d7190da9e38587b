// The licenses of the packages that are bundled in a file.

import type { Metafile } from "esbuild";
import { readdir, readFile } from "node:fs/promises";
import path from "node:path";

/** Returns the license texts of all packages of other authors that the build has put into its output. */
export async function noticesOf(metafile: Metafile, root: string): Promise<string> {
  const inputs = Object.values(metafile.outputs).flatMap((output) =>
    Object.entries(output.inputs).filter(([, { bytesInOutput }]) => bytesInOutput > 0),
  );
  const folders = new Set(inputs.flatMap(([input]) => packageFolder(input) ?? []));
  const notices = await Promise.all([...folders].sort().map((folder) => noticeOf(path.resolve(root, folder))));
  return notices.join(`\n${"-".repeat(80)}\n\n`);
}

/** `…/node_modules/.pnpm/ajv@8/node_modules/ajv/dist/core.js` → `…/node_modules/ajv` */
function packageFolder(input: string): string | undefined {
  return /^.*\/node_modules\/(?:@[^/]+\/)?[^/]+/.exec(input)?.[0];
}

async function noticeOf(folder: string): Promise<string> {
  const { name, version, license } = JSON.parse(await readFile(path.join(folder, "package.json"), "utf8")) as {
    readonly [field: string]: string;
  };
  const file = (await readdir(folder)).find((entry) => /^licen[cs]e/i.test(entry));
  const text = file === undefined ? "" : `\n${(await readFile(path.join(folder, file), "utf8")).trim()}\n`;
  return `${name} ${version} (${license})\n${text}`;
}
