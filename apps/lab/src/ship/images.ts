// Builds the images of infra/ and runs docker-compose.yml for real, without a Docker engine and without a registry of
// images: podman, with images of Debian, Node, PostgreSQL, Redis and versitygw that are made on this machine under the
// names that the files pin. Deploys an example agent, runs turns through it on several workers, takes one away.
//
//   npm run lab -- ship/images [--workers 2] [--turns 24] [--cgroup-parent /path]
//                              [--dir /var/tmp/images [--keep] [--no-build]]
//
// Needs root on a Debian with its package archive and npm's registry within reach, and of its packages podman, runc,
// netavark, aardvark-dns, iptables, debootstrap and docker-compose; says which are missing. `--dir` is made, filled
// with about 4 GB and removed; with `--keep` it stays, and the next run has the images that it starts from, or with
// `--no-build` all of them. The log of all that was run stays beside it. `--cgroup-parent`: the control group that
// containers are made in. Podman leaves its empty chains in the machine's firewall.

import { randomBytes } from "node:crypto";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { freePort } from "@dari/embedded";
import { readFlags } from "../flags.ts";
import { describeMachine } from "../machine.ts";
import { checkout } from "../program.ts";
import { makeBaseImages, readPinnedImages } from "./images/base-images.ts";
import { missingPackages, startEngine, type Engine } from "./images/engine.ts";
import { rehearse } from "./images/rehearsal.ts";
import { exitOnSignal } from "./exit-on-signal.ts";

const flags = readFlags({
  workers: { type: "string", default: "2" },
  turns: { type: "string", default: "24" },
  dir: { type: "string", default: "" },
  keep: { type: "boolean", default: false },
  "no-build": { type: "boolean", default: false },
  "cgroup-parent": { type: "string", default: "" },
});
const limitMax = 16_384;
const programs = ["api", "worker", "reconciler"] as const;
const workers = flags.whole("workers");
const turns = flags.whole("turns");
const missing = missingPackages();
if (missing.length > 0) flags.refuse(`first: apt-get install ${missing.join(" ")}`);
if (process.getuid?.() !== 0) flags.refuse("run it as root: it mounts and makes networks");

const dir = flags.values.dir === "" ? mkdtempSync(path.join(tmpdir(), "dari-images-")) : flags.values.dir;
mkdirSync(dir, { recursive: true });
// It is removed at the end, so nothing else may be in it.
if (readdirSync(dir).length > 0 && !existsSync(path.join(dir, "storage.conf"))) {
  flags.refuse(`${dir} holds something else: --dir is an empty directory, or one that --keep has left`);
}
const log = `${dir.replace(/\/+$/, "")}.log`;
const startedAt = performance.now();
const seconds: Record<string, number> = {};
const result: Record<string, unknown> = { seconds };
const problems: string[] = [];

const stack = new AsyncDisposableStack();
exitOnSignal(stack);
const { keep } = flags.values;
if (!keep) stack.defer(() => rmSync(dir, { recursive: true, force: true }));
try {
  const engine = stack.use(await startEngine(dir, { keepsImages: keep }));
  stack.defer(() => cpSync(engine.logFile, log));
  await run(engine);
} catch (error) {
  problems.push(error instanceof Error ? error.message : String(error));
}
await stack.disposeAsync();
const verdict = problems.length === 0 ? "passed" : "FAILED";
const line = { name: "ship/images", machine: describeMachine(), parameters: { workers, turns }, result, problems, log };
process.stdout.write(`${JSON.stringify({ ...line, verdict })}\n`);
process.exitCode = problems.length === 0 ? 0 : 1;

async function run(engine: Engine): Promise<void> {
  const images = readPinnedImages();
  const port = await freePort();
  const env = secretsAnd({
    DARI_PORT: String(port),
    DARI_PUBLIC_URL: `http://127.0.0.1:${port}`,
    COMPOSE_FILE: [path.join(checkout, "docker-compose.yml"), writeOverride()].join(path.delimiter),
  });
  if (!flags.values["no-build"]) {
    await step("base images", () => makeBaseImages(engine, images));
    for (const program of programs) await step(`build ${program}`, () => buildImage(engine, program));
  }
  const up = ["up", "--no-build", "--detach", "--scale", `worker=${workers}`];
  await step("docker-compose up", () => engine.compose(up, env));
  result["images"] = await describeImages(engine, env, images.node);
  const rehearsal = await step("rehearsal", () =>
    rehearse({ engine, env, apiUrl: `http://127.0.0.1:${port}`, workers, turns, say }),
  );
  result["rehearsal"] = rehearsal.figures;
  problems.push(...rehearsal.problems);
  await step("docker-compose down", () => engine.compose(["down", "--volumes"], env));
  const left = await engine.run("podman", ["ps", "--all", "--quiet"]);
  if (left !== "") problems.push(`docker-compose down left containers: ${left.replaceAll("\n", " ")}`);
}

async function step<T>(name: string, work: () => Promise<T>): Promise<T> {
  say(name);
  const begunAt = performance.now();
  const done = await work();
  seconds[name.replaceAll(" ", "_")] = Math.round((performance.now() - begunAt) / 100) / 10;
  return done;
}

function say(text: string): void {
  process.stderr.write(`${Math.round((performance.now() - startedAt) / 1_000)} s`.padStart(7) + ` ${text}\n`);
}

/** Returns the secrets that infra/README.md writes to .env, and `env`. */
function secretsAnd(env: Readonly<Record<string, string>>): Record<string, string> {
  const secret = (): string => randomBytes(24).toString("hex");
  return {
    ...env,
    POSTGRES_PASSWORD: secret(),
    REDIS_PASSWORD: secret(),
    S3_SECRET_ACCESS_KEY: secret(),
    DARI_MASTER_KEY: randomBytes(32).toString("base64"),
  };
}

/** Builds with its Dockerfile from the checkout, like the compose file. */
function buildImage(engine: Engine, program: string): Promise<string> {
  const args = ["--file", path.join(checkout, `infra/${program}.Dockerfile`), "--tag", `docker.io/${imageOf(program)}`];
  return engine.run("podman", ["build", ...args, checkout]);
}

/** Writes an override of the compose file: the built images, and limits that this user may set. */
function writeOverride(): string {
  const parent = flags.values["cgroup-parent"];
  const common = { ulimits: hardLimits(), ...(parent === "" ? {} : { cgroup_parent: parent }) };
  const built = programs.map((program) => [program, { image: imageOf(program), ...common }]);
  const others = ["postgres", "redis", "s3"].map((name) => [name, common]);
  const file = path.join(dir, "override.json");
  writeFileSync(file, JSON.stringify({ services: Object.fromEntries([...built, ...others]) }));
  return file;
}

/** Podman would raise a container's limits to the kernel's, which not every root may do. */
function hardLimits(): Record<string, number> {
  const text = readFileSync("/proc/self/limits", "utf8");
  const read = (line: RegExp): number => Math.min(limitMax, Number(line.exec(text)?.[1] ?? limitMax));
  return { nofile: read(/^Max open files +\S+ +(\d+)/m), nproc: read(/^Max processes +\S+ +(\d+)/m) };
}

function imageOf(program: string): string {
  return `dari/${program}:rehearsal`;
}

interface ImageFigures {
  readonly megabytes: number;
  /** Without its base image's Node. */
  readonly own_megabytes: number;
  readonly user: string;
}

async function describeImages(
  engine: Engine,
  env: Readonly<Record<string, string>>,
  node: string,
): Promise<Record<string, ImageFigures>> {
  const inspect = async (image: string, format: string): Promise<string> =>
    engine.run("podman", ["image", "inspect", "--format", format, image]);
  const megabytes = (bytes: number): number => Math.round(bytes / 1e5) / 10;
  const base = Number(await inspect(`docker.io/library/${node}`, "{{.Size}}"));
  const figures: Record<string, ImageFigures> = {};
  for (const program of programs) {
    const [container = ""] = (await engine.compose(["ps", "--quiet", program], env)).split("\n");
    const image = await engine.run("podman", ["inspect", "--format", "{{.Image}}", container]);
    const [size = "", user = ""] = (await inspect(image, "{{.Size}} {{.User}}")).split(" ");
    figures[program] = { megabytes: megabytes(Number(size)), own_megabytes: megabytes(Number(size) - base), user };
    if (user !== "node") problems.push(`${program} runs as ${user === "" ? "root" : user}`);
  }
  return figures;
}
