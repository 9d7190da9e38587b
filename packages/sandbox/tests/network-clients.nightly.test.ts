// Clients that know nothing of the sandbox, unchanged, in a real sandbox: each reaches its server by name, and what the
// policy refuses ends with the client's own error and a record that says why.

import { afterAll, beforeAll, expect, test } from "@jest/globals";
import type { EgressRecord } from "@dari/gateway";
import type { EgressPolicy } from "@dari/network";
import { findService, waitUntil } from "@dari/testkit";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { proxyOnlyNote } from "../src/machine/guarantee-notes.ts";
import { createBwrapDriver } from "../src/index.ts";
import { findProgram } from "../src/launch/find-programs.ts";
import {
  createRepository,
  run,
  sshUser,
  startMariadb,
  startMongo,
  startSsh,
  startWeb,
  type SshServer,
  type TestServer,
} from "./client-servers.ts";
import { makeSlot, nextSaid, specFor, withSandbox } from "./sandbox-fixture.ts";

const root = fileURLToPath(new URL("../../..", import.meta.url));
const inRoot = (path: string): string => join(root, path);
const programOf = (name: string): string => inRoot(`packages/sandbox/tests/programs/${name}`);
const pythonPackages = [
  "aiohttp==3.14.5",
  "asyncpg==0.32.0",
  "psycopg[binary]==3.3.9",
  "pymongo==4.20.0",
  "redis==8.1.0",
];

const driver = createBwrapDriver();
const found = await driver.probe();
const isTransparent = found.ok && !found.guarantees.notes.some((note) => note.startsWith(proxyOnlyNote));
const [mariadbd, sshd] = [await findProgram("mariadbd"), await findProgram("sshd")];
const [postgres, redis] = [findService("postgres"), findService("redis")].map((one) => one && new URL(one.url));
/** What a test needs, and whether this machine has it. */
const needs = {
  "bwrap with nf_tables": isTransparent,
  PostgreSQL: postgres !== undefined,
  Redis: redis !== undefined,
  "apt-get install mariadb-server-core": mariadbd !== undefined,
  "apt-get install openssh-server": sshd !== undefined,
} as const;

function ifFound(title: string, needed: readonly (keyof typeof needs)[], body: () => Promise<void>): void {
  const missing = ["bwrap with nf_tables" as const, ...needed].filter((name) => !needs[name]);
  if (missing.length === 0) test(title, body, 180_000);
  else test.skip(`${title} (needs ${missing.join(", ")})`, body);
}

/** This machine by a name that only the worker can resolve, and a name that no rule allows. */
const here = hostname().toLowerCase();
const refusedHost = "other.example";
const wheel = "greet-1.0-py3-none-any.whl";

interface Servers {
  readonly mariadb: TestServer | undefined;
  readonly ssh: SshServer | undefined;
  readonly mongo: TestServer;
  readonly web: TestServer;
}

let dir: string;
let python: { readonly program: string; readonly dirs: readonly string[] };
let servers: Servers;
const started: TestServer[] = [];
beforeAll(async () => {
  if (!isTransparent) return;
  dir = await mkdtemp(join(tmpdir(), "network-clients-"));
  python = await preparePython();
  servers = await startServers();
}, 180_000);
afterAll(async () => {
  if (!isTransparent) return;
  for (const server of started) await server.close();
  await rm(dir, { recursive: true, force: true });
}, 60_000);

/** Installs the packages once per checkout. */
async function preparePython(): Promise<typeof python> {
  const home = inRoot(`.cache/python-network-clients/${pythonPackages.join("_").replaceAll("==", "-")}`);
  const program = join(home, "bin/python");
  const { stdout } = await run("python3", ["-c", "import sys; print(sys.base_prefix)"]);
  if (!existsSync(join(home, "complete"))) {
    await rm(home, { recursive: true, force: true });
    await mkdir(home, { recursive: true });
    await run("python3", ["-m", "venv", home]);
    await run(program, ["-m", "pip", "install", "--quiet", ...pythonPackages]);
    await writeFile(join(home, "complete"), "");
  }
  return { program, dirs: [home, stdout.trim()] };
}

async function startServers(): Promise<Servers> {
  const zip = "import sys, zipfile; z = zipfile.ZipFile(sys.argv[1], 'w'); d = 'greet-1.0.dist-info/'; ";
  const files =
    "z.writestr(d + 'METADATA', 'Metadata-Version: 2.1\\nName: greet\\nVersion: 1.0\\n'); " +
    "z.writestr(d + 'WHEEL', 'Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n'); " +
    "z.writestr(d + 'RECORD', ''); z.close()";
  await run(python.program, ["-c", zip + files, join(dir, wheel)]);
  await createRepository(dir);
  const keep = async <T extends TestServer>(server: Promise<T>): Promise<T> => {
    started.push(await server);
    return server;
  };
  const starting = [
    mariadbd === undefined ? Promise.resolve(undefined) : keep(startMariadb(mariadbd, dir)),
    sshd === undefined ? Promise.resolve(undefined) : keep(startSsh(sshd, dir)),
    keep(startMongo()),
    keep(startWeb(here, dir, wheel)),
  ] as const;
  // If one fails, `started` must have all others before they are closed.
  await Promise.allSettled(starting);
  const [mariadb, ssh, mongo, web] = await Promise.all(starting);
  await writeFile(join(dir, "ca.pem"), web.certificate);
  return { mariadb, ssh, mongo, web };
}

/** Allows the test's servers by name and port. */
function policy(): EgressPolicy {
  const { mariadb, ssh, mongo, web } = servers;
  const allowed = [postgres, redis, mariadb, ssh, mongo, web].flatMap((one) => (one === undefined ? [] : [one.port]));
  return { mode: "allow", rules: allowed.map((port) => ({ kind: "service", name: here, port: Number(port) })) };
}

/** Runs a program that takes a list and reports one answer for each. */
async function use(
  command: readonly string[],
  list: readonly unknown[],
): Promise<{ said: unknown[]; records: EgressRecord[] }> {
  const slot = await makeSlot();
  const records: EgressRecord[] = [];
  const network = { policy: policy(), onConnection: (record: EgressRecord) => void records.push(record) };
  const spec = specFor(slot, [], { argv: [...command, JSON.stringify(list)], network });
  const added = [
    ...python.dirs,
    join(dir, "ca.pem"),
    inRoot("node_modules/.pnpm"),
    inRoot("packages/sandbox/node_modules"),
  ];
  const readOnlyPaths = [...spec.readOnlyPaths, ...added];
  const env = { SSL_CERT_FILE: join(dir, "ca.pem") };
  try {
    const said = await withSandbox(driver, { ...spec, env, readOnlyPaths }, nextSaid);
    return { said: said as unknown[], records };
  } finally {
    await slot.remove();
  }
}

/** Returns the URL of a server by its name, and one that is refused. */
function urlsOf(url: string | URL): string[] {
  return [here, refusedHost].map((name) => Object.assign(new URL(url), { hostname: name }).href);
}

const refused = (port: number): object => ({
  host: refusedHost,
  port,
  verdict: "refused",
  reason: "it is not on the allow-list",
});

/** A client with the URL of its server, and the error that it reports when the policy refuses it. */
type Client = readonly [name: string, url: string | URL, refusal: RegExp];

/** Uses each client with its server, and with one that is refused. `answers`: in the order of the clients. */
async function expectOf(command: readonly string[], clients: readonly Client[], answers: unknown[]): Promise<void> {
  const attempts = clients.flatMap(([name, url]) => urlsOf(url).map((each) => [name, each]));
  const { said, records } = await use(command, attempts);
  const refusals = clients.map(([, , refusal]) => expect.stringMatching(refusal));
  expect(said).toEqual(answers.flatMap((answer, i) => [answer, refusals[i]]));
  await waitUntil(() => records.length >= 2 * clients.length, { what: "a record of each connection" });
  for (const [, url] of clients) {
    const port = Number(new URL(url).port);
    expect(records).toContainEqual(expect.objectContaining({ host: here, port, verdict: "connected" }));
    expect(records).toContainEqual(expect.objectContaining(refused(port)));
  }
}

/** The reset can come while the client connects, while it sends or while it waits for an answer. */
const reset = /ECONNRESET|ConnectionResetError|[Rr]eset by peer|closed|connection_lost/;

const forNode = ["PostgreSQL", "Redis", "apt-get install mariadb-server-core"] as const;
ifFound("pg, mysql2, ioredis and MongoDB's driver for Node", forNode, async () => {
  const { mariadb, mongo } = servers;
  const clients: Client[] = [
    ["pg", postgres!, reset],
    ["mysql2", `mysql://agent:secret@${here}:${mariadb!.port}`, reset],
    ["ioredis", redis!, reset],
    ["mongodb", `mongodb://${here}:${mongo.port}/?serverSelectionTimeoutMS=2000`, reset],
  ];
  await expectOf([process.execPath, programOf("clients.mjs")], clients, [42, 42, "PONG", 1]);
});

ifFound("aiohttp, psycopg, asyncpg, redis-py and pymongo", ["PostgreSQL", "Redis"], async () => {
  const { mongo, web } = servers;
  const clients: Client[] = [
    ["aiohttp", `https://${here}:${web.port}/`, /^ClientConnectorError: .*other\.example|[Rr]eset by peer/],
    ["psycopg", postgres!, reset],
    ["asyncpg", postgres!, reset],
    ["redis", redis!, reset],
    ["pymongo", `mongodb://${here}:${mongo.port}/?serverSelectionTimeoutMS=2000`, reset],
  ];
  await expectOf([python.program, programOf("clients.py")], clients, ["hello", 42, 42, true, 1]);
});

ifFound("git, curl and pip, without the proxy and with it", ["apt-get install openssh-server"], async () => {
  const { web } = servers;
  const ssh = servers.ssh!;
  const base = (name: string): string => `https://${name}:${web.port}`;
  const log = "git -C clone log -1 --format=%s && rm -r --force clone";
  const pip = `${python.program} -m pip download -q --retries 1 --no-deps --index-url`;
  const commandsFor = (name: string): string[] => [
    `curl -sS ${base(name)}/`,
    `git clone -q ${base(name)}/git/agent.git clone && ${log}`,
    `git clone -q ssh://${sshUser}@${name}:${ssh.port}${dir}/agent.git clone && ${log}`,
    `${pip} ${base(name)}/simple/ greet && ls *.whl && rm *.whl`,
  ];
  const commands = [...commandsFor(here), ...commandsFor(refusedHost)];
  const certificates = ["CURL_CA_BUNDLE", "GIT_SSL_CAINFO", "PIP_CERT"].map((name) => `${name}=${join(dir, "ca.pem")}`);
  const withoutProxy = ["env", "-i", "HOME=/state", `PATH=${process.env["PATH"]}`, ...certificates];
  const login = 'umask 077; mkdir ~/.ssh; cd ~/.ssh; printf %s "$0" >id_ed25519; printf %s "$1" >known_hosts';
  const { said, records } = await use(
    [process.execPath, programOf("network.mjs")],
    [
      ["run", "sh", "-c", login, ssh.key, ssh.knownHost(here)],
      ...commands.map((command) => ["run", ...withoutProxy, "sh", "-c", command]),
      ...commands.map((command) => ["run", "env", ...certificates, "sh", "-c", command]),
    ],
  );
  const worked = ["hello", "hello", "hello", wheel];
  const ofSsh = /reset by [^]*Could not read from remote repository/;
  const ofPip = /No matching distribution found for greet/;
  const refusals = (curl: RegExp): unknown[] => [curl, curl, ofSsh, ofPip].map((each) => expect.stringMatching(each));
  const withProxy = refusals(/CONNECT tunnel failed, response 403/);
  expect(said).toEqual(["", ...worked, ...refusals(/connect to server|reset by peer/), ...worked, ...withProxy]);
  for (const port of [web.port, ssh.port]) expect(records).toContainEqual(expect.objectContaining(refused(port)));
});
