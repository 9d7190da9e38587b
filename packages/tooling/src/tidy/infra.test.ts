// The shipped container files, checked without a Docker engine: images are pinned, unprivileged and healthy, paths
// exist.

import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import path from "node:path";
import { describe, expect, test } from "@jest/globals";
import { load } from "js-yaml";
import { root, textFiles } from "./files.ts";

const programs = ["api", "reconciler", "worker"];
const members = textFiles
  .filter(({ path: name }) => /^(apps|packages)\/[^/]+\/package\.json$/.test(name))
  .map(({ text }) => (JSON.parse(text) as { readonly name: string }).name);
const textOf = (name: string): string => textFiles.find((file) => file.path === name)?.text ?? "";
interface Locked {
  readonly version: string;
  readonly integrity?: string;
}

interface Scrape {
  readonly scrape_configs: readonly [{ readonly dns_sd_configs: readonly [{ readonly names: readonly string[] }] }];
}

const pnpmVersion = /"pnpm@(\d+\.\d+\.\d+)"/.exec(textOf("scripts/install.mjs"))?.[1];

describe.each(programs)("the image of %s", (program) => {
  const dockerfile = textOf(`infra/${program}.Dockerfile`);
  const instruction = (name: string): string[] =>
    [...dockerfile.matchAll(new RegExp(`^${name} (.*)$`, "gm"))].map((match) => match[1] ?? "");

  test("starts from one pinned Node, by a digest where one is given", () => {
    expect(instruction("ARG")).toEqual([expect.stringMatching(/^NODE_VERSION=24\.\d+\.\d+$/), "NODE_DIGEST="]);
    const image = "node:${NODE_VERSION}-slim${NODE_DIGEST}";
    expect(instruction("FROM")).toEqual([`${image} AS installed`, image]);
  });

  test("installs with the pnpm of the lockfile, whose hash npm checks", () => {
    expect(dockerfile).not.toContain("npx");
    expect(dockerfile).toContain("RUN npm ci --prefix /opt/pnpm --ignore-scripts");
    const { packages } = JSON.parse(textOf("infra/pnpm/package-lock.json")) as { packages: Record<string, Locked> };
    const { "": _root, ...locked } = packages;
    const pinned = { version: pnpmVersion, integrity: expect.stringMatching(/^sha512-/) };
    expect(Object.values(locked)).toEqual([expect.objectContaining(pinned), expect.objectContaining(pinned)]);
  });

  test("runs as an ordinary user and says how it is", () => {
    expect(instruction("USER")).toEqual(["node"]);
    expect(instruction("HEALTHCHECK")).toHaveLength(1);
  });

  // image-programs.nightly.test.ts runs this line.
  test("stores compiled modules", () => {
    const [compile] = instruction("RUN").filter((line) => line.includes("NODE_COMPILE_CACHE"));
    expect(compile).toBe(`node apps/${program}/src/main.ts || test -n "$(ls "$NODE_COMPILE_CACHE")"`);
  });

  test("copies and runs what exists", () => {
    const copied = instruction("COPY").filter((line) => !line.startsWith("--from"));
    const sources = copied.flatMap((line) => line.split(" ").slice(0, -1));
    const [, command = ""] = /"node", "([^"]+)"/.exec(instruction("CMD").join()) ?? [];
    expect([...sources, command].filter((name) => !existsSync(path.join(root, name)))).toEqual([]);
    const ignored = textOf(".dockerignore").trim().split("\n");
    expect(sources.filter((name) => ignored.includes(name))).toEqual([]);
  });

  test("installs packages and runs programs that exist", () => {
    const filters = [...dockerfile.matchAll(/--filter "(@dari\/[a-z-]+)\.\.\."/g)].map((match) => match[1] ?? "");
    expect(filters).toContain(`@dari/${program}`);
    expect(filters.filter((name) => !members.includes(name))).toEqual([]);
    const scripts = [...dockerfile.matchAll(/\bnode (\S+\/\S+\.m?[jt]s)/g)].map((match) => match[1] ?? "");
    expect(scripts.filter((name) => !existsSync(path.join(root, name)))).toEqual([]);
  });
});

test("the image of the API has what the packages for users are built from, and serves what is built", () => {
  const dockerfile = textOf("infra/api.Dockerfile");
  const build = textFiles.filter((file) => /^packages\/packaging\/src\/[a-z-]+\.ts$/.test(file.path));
  const above = /"\.\.\/\.\.\/([A-Za-z][^"/]*)"/g;
  const read = build.flatMap(({ text }) => [...text.matchAll(above)].map(([, name]) => name!));
  const copied = /^COPY (package\.json .*) \.\/$/m.exec(dockerfile)?.[1]?.split(" ") ?? [];
  expect([...new Set(read)].sort()).toEqual(["LICENSE", "tsconfig.base.json"]);
  expect(copied).toEqual(expect.arrayContaining(read));
  expect(dockerfile).toContain("vite.js build apps/console");
  expect(textOf("apps/api/src/console.ts")).toContain('"../../console/dist"');
  expect(dockerfile).toContain("node packages/packaging/src/main.ts");
  expect(textOf("apps/api/src/packages.ts")).toContain('"../../../packages/packaging/dist"');
  expect(dockerfile).not.toMatch(/rm -rf .*dist/);
});

const compose = textOf("docker-compose.yml");
const secrets = ["POSTGRES_PASSWORD", "REDIS_PASSWORD", "S3_SECRET_ACCESS_KEY", "DARI_MASTER_KEY"];

describe("docker-compose.yml", () => {
  test("pins every image", () => {
    const images = [...compose.matchAll(/^\s+image: (\S+)$/gm)].map((match) => match[1] ?? "");
    expect(images).toHaveLength(5);
    expect(images.filter((image) => !/:v?\d+\.\d+/.test(image))).toEqual([]);
  });

  test("has no default for a secret", () => {
    const matches = [...compose.matchAll(/\$\{([A-Z0-9_]+)(:[?-])?/g)];
    const uses = matches.map(([, name = "", operator = ""]) => ({ name, operator }));
    const soft = uses.filter(({ name, operator }) => secrets.includes(name) && operator !== ":?");
    expect(soft).toEqual([]);
    expect(secrets.filter((name) => !uses.some((use) => use.name === name))).toEqual([]);
  });

  test("builds from Dockerfiles that exist and publishes on the loopback interface only", () => {
    const dockerfiles = [...compose.matchAll(/dockerfile: (\S+)/g)].map((match) => match[1] ?? "");
    expect(dockerfiles.sort()).toEqual(programs.map((program) => `infra/${program}.Dockerfile`));
    const ports = [...compose.matchAll(/ports:\n\s+- "([^"]+)"/g)].map((match) => match[1] ?? "");
    expect(ports).toHaveLength(3);
    expect(ports.every((port) => port.startsWith("127.0.0.1:"))).toBe(true);
  });

  test("mounts files that exist", () => {
    const mounted = [...compose.matchAll(/^\s+- (\.\/[^:]+):/gm)].map((match) => match[1] ?? "");
    expect(mounted).toHaveLength(4);
    expect(mounted.filter((name) => !existsSync(path.join(root, name)))).toEqual([]);
  });

  test("starts Prometheus and Grafana only with the profile, and shows the dashboard from the metrics", () => {
    const { services } = load(compose) as { services: Record<string, { profiles?: string[] }> };
    const optional = Object.entries(services).filter(([, { profiles }]) => profiles?.includes("monitoring"));
    expect(optional.map(([name]) => name)).toEqual(["prometheus", "grafana"]);
    const [source, folder] = ["datasources/prometheus.yml", "dashboards/dari.yml"].map((name) =>
      textOf(`infra/grafana/provisioning/${name}`),
    );
    expect(load(source ?? "")).toMatchObject({ datasources: [{ type: "prometheus", url: "http://prometheus:9090" }] });
    const [, target] = /infra\/grafana\/dari\.json:(\S+)\/dari\.json:ro/.exec(compose) ?? [];
    expect(load(folder ?? "")).toMatchObject({ providers: [{ options: { path: target } }] });
    const [job] = (load(textOf("infra/prometheus/scrape.yml")) as Scrape).scrape_configs;
    expect(job.dns_sd_configs[0].names.toSorted()).toEqual(programs);
    expect(programs.filter((name) => !(name in services))).toEqual([]);
  });

  const command = spawnSync("docker-compose", ["version"], { stdio: "ignore" }).status === 0;
  const title = "is accepted by docker-compose, and refused without a secret";
  (command ? test : test.skip)(command ? title : `${title} (needs apt-get install docker-compose)`, () => {
    const env = { PATH: process.env.PATH, ...Object.fromEntries(secrets.map((name) => [name, "x"])) };
    const check = (environment: NodeJS.ProcessEnv): { status: number | null; stderr: string } =>
      spawnSync("docker-compose", ["--profile", "monitoring", "config", "-q"], {
        cwd: root,
        env: environment,
        encoding: "utf8",
      });
    expect(check(env)).toMatchObject({ status: 0 });
    const refused = check({ ...env, DARI_MASTER_KEY: "" });
    expect(refused.status).not.toBe(0);
    expect(refused.stderr).toContain("DARI_MASTER_KEY");
  });
});
