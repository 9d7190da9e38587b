// A release: the same bytes twice, and packages that work in an empty project.

import { execFile } from "node:child_process";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { readVersion } from "@dari/packaging";

const execute = promisify(execFile);
const root = path.resolve(import.meta.dirname, "../../..");
let directory: string;
let version: string;
const inRelease = (name: string): string => path.join(directory, "release", name);

beforeAll(async () => {
  directory = await mkdtemp(path.join(tmpdir(), "dari-release-"));
  version = await readVersion(root);
  await buildRelease("release");
}, 120_000);

afterAll(() => rm(directory, { recursive: true, force: true }));

function buildRelease(name: string): Promise<object> {
  const args = [path.join(root, "scripts/run.mjs"), "release", "--out", path.join(directory, name)];
  return execute(process.execPath, args, { cwd: root });
}

async function run(command: string, args: readonly string[], cwd = directory): Promise<string> {
  return (await execute(command, args, { cwd, maxBuffer: 16 * 1024 * 1024 })).stdout.trim();
}

test("the same commit gives the same bytes, whose checksums are right", async () => {
  await buildRelease("again");
  const sums = await readFile(inRelease("SHA256SUMS"), "utf8");
  expect(sums.trim().split("\n")).toHaveLength(11);
  expect(await readFile(path.join(directory, "again/SHA256SUMS"), "utf8")).toBe(sums);
  await run("sha256sum", ["--check", "--strict", "SHA256SUMS"], inRelease(""));
}, 120_000);

test("the npm packages run in an empty project", async () => {
  const project = await mkdtemp(path.join(directory, "npm-"));
  await writeFile(path.join(project, "package.json"), '{"private": true, "type": "module"}');
  const archives = (await readdir(inRelease("npm"))).map((name) => path.join(inRelease("npm"), name));
  expect(archives).toHaveLength(4);
  await run("npm", ["install", "--no-audit", "--no-fund", "react@19", ...archives], project);
  expect(await run("npx", ["dari", "--version"], project)).toBe(version);
  const script = `const names = ["@dari/agent", "@dari/client", "@dari/react"];
    for (const name of names) console.log(Object.keys(await import(name)).length > 0);`;
  const loaded = await run(process.execPath, ["--input-type=module", "--eval", script], project);
  expect(loaded).toBe("true\ntrue\ntrue");
}, 180_000);

test.each([".whl", ".tar.gz"])(
  "the Python packages (%s) run in an empty environment",
  async (ending) => {
    const environment = await mkdtemp(path.join(directory, "python-"));
    await run("python3", ["-m", "venv", environment]);
    const python = path.join(environment, "bin/python");
    const names = (await readdir(inRelease("python"))).filter((name) => name.endsWith(ending));
    expect(names).toHaveLength(2);
    const archives = names.map((name) => path.join(inRelease("python"), name));
    await run(python, ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", ...archives]);
    const script = `from importlib.metadata import version
import dari_agent, dari_client
client = dari_client.Client("http://127.0.0.1:1", "k")
print(version("dari-agent"), version("dari-client"))`;
    expect(await run(python, ["-c", script])).toBe(`${version} ${version}`);
    expect(await run(path.join(environment, "bin/dari-agent"), ["--help"])).toContain("Runs one turn of the agent");
  },
  180_000,
);

test("the chart is a directory of its name, with all that it links to in the repository", async () => {
  const readChart = (file: string): Promise<string> =>
    run("tar", ["-xzOf", inRelease(`chart/dari-${version}.tgz`), `dari/${file}`]);
  expect(await readChart("Chart.yaml")).toContain(`\nversion: ${version}\n`);
  const alerts = await readFile(path.join(root, "infra/prometheus/alerts.yml"), "utf8");
  expect(await readChart("files/alerts.yml")).toBe(alerts.trim());
});

test("the image context has what each Dockerfile copies", async () => {
  const context = path.join(directory, "context");
  await run("mkdir", [context]);
  await run("tar", ["-xzf", inRelease(`images/dari-images-${version}.tar.gz`), "-C", context]);
  for (const program of ["api", "reconciler", "worker"]) {
    const dockerfile = await readFile(path.join(context, `infra/${program}.Dockerfile`), "utf8");
    const copied = [...dockerfile.matchAll(/^COPY (?!--from)(.*) \S+$/gm)].flatMap(([, names = ""]) =>
      names.split(" "),
    );
    expect(copied.length).toBeGreaterThan(4);
    await run("ls", ["-d", ...copied], context);
  }
});

test("the components are SPDX 2.3: unique ids, relationships between them, one version of Dari", async () => {
  const document = JSON.parse(await readFile(inRelease(`dari-${version}.spdx.json`), "utf8")) as {
    readonly spdxVersion: string;
    readonly packages: readonly { readonly SPDXID: string; readonly name: string; readonly versionInfo?: string }[];
    readonly relationships: readonly { readonly spdxElementId: string; readonly relatedSpdxElement: string }[];
  };
  expect(document.spdxVersion).toBe("SPDX-2.3");
  const ids = new Set(document.packages.map(({ SPDXID }) => SPDXID));
  expect(ids.size).toBe(document.packages.length);
  const named = document.relationships.flatMap(({ spdxElementId, relatedSpdxElement }) => [
    spdxElementId,
    relatedSpdxElement,
  ]);
  expect([...new Set(named)].filter((id) => id !== "SPDXRef-DOCUMENT" && !ids.has(id))).toEqual([]);
  const names = document.packages.map(({ name }) => name);
  expect(names).toEqual(expect.arrayContaining(["pg", "react", "dari-native-linux-arm64", "musl", "httpx", "node"]));
  const own = document.packages.filter(({ name }) => /^(@dari\/|dari)/.test(name));
  expect([...new Set(own.map(({ versionInfo }) => versionInfo))]).toEqual([version]);
});
