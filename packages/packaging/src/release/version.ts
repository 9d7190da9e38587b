// The version of a release. The root package.json has it. Files that cannot read it repeat it.

import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";

/** Matches the version in each file that repeats it. */
const repeated: Readonly<Record<string, RegExp>> = {
  "docs/cluster.md": /(?<=team\/dari-\$program:)[\w.-]+/,
  "infra/api.Dockerfile": /(?<=image\.version=)[\w.-]+/,
  "infra/helm/dari/Chart.yaml": /(?<=ersion: "?)\d[\w.-]+/,
  "infra/reconciler.Dockerfile": /(?<=image\.version=)[\w.-]+/,
  "infra/worker.Dockerfile": /(?<=image\.version=)[\w.-]+/,
  "packages/agent-python/pyproject.toml": /(?<=^version = ")[^"]+/,
  "packages/client-python/README.md": /(?<=dari_client-)[\w.]+(?=-py3)/,
  "packages/client-python/pyproject.toml": /(?<=^version = ")[^"]+/,
  "packages/client-python/src/dari_client/_http.py": /(?<=dari-client-python\/)[^"]+/,
  "packages/contract/src/release.ts": /(?<=dariRelease = ")[^"]+/,
};

/** npm, PyPI and Helm agree only on versions of three numbers. */
const wellFormed = /^\d+\.\d+\.\d+$/;

/** Returns the version that the root package.json of `root` has. */
export async function readVersion(root: string): Promise<string> {
  const { version } = JSON.parse(await readFile(path.join(root, "package.json"), "utf8")) as { version: string };
  return version;
}

/** Returns the versions that each file repeats. */
export async function readRepeatedVersions(root: string): Promise<Readonly<Record<string, readonly string[]>>> {
  const files = Object.entries(repeated).map(async ([file, pattern]) => {
    const text = await readFile(path.join(root, file), "utf8");
    return [file, text.match(everywhere(pattern)) ?? []] as const;
  });
  return Object.fromEntries(await Promise.all(files));
}

/** Writes the version to the root package.json and to every file that repeats it. */
export async function writeVersion(root: string, version: string): Promise<void> {
  if (!wellFormed.test(version)) throw new Error(`${version} is not a version such as 1.2.3`);
  for (const [file, pattern] of Object.entries({ "package.json": /(?<=^ {2}"version": ")[^"]+/, ...repeated })) {
    const text = await readFile(path.join(root, file), "utf8");
    await writeFile(path.join(root, file), text.replace(everywhere(pattern), version));
  }
}

function everywhere(pattern: RegExp): RegExp {
  return new RegExp(pattern, "gm");
}
