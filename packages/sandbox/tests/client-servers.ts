// Servers for the tests of ordinary network clients: real ones of this machine, and for MongoDB the part of its
// protocol that drivers need to connect.

import { endProcess, freePort, identifyProcess } from "@dari/embedded";
import { createAuthority } from "@dari/gateway";
import { listening, waitUntil } from "@dari/testkit";
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer as createHttpsServer } from "node:https";
import { connect, createServer, type Server, type Socket } from "node:net";
import { userInfo } from "node:os";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { promisify } from "node:util";
import { BSON, type Document } from "mongodb";

export const run = promisify(execFile);

export interface TestServer {
  readonly port: number;
  close(): Promise<void>;
}

const endings = [
  { signal: "SIGTERM", waitMs: 5_000 },
  { signal: "SIGKILL", waitMs: 5_000 },
] as const;

/** Starts a server program and waits until it listens. */
async function startProgram(command: string, args: readonly string[], port: number): Promise<TestServer> {
  const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk: Buffer) => (output += String(chunk)));
  await waitUntil(
    async () => {
      if (child.exitCode !== null) throw new Error(`${command} ended:\n${output.slice(-2_000)}`);
      return accepts(port);
    },
    { what: `${command} to listen on port ${port}`, timeoutMs: 60_000 },
  ).catch((error: unknown) => {
    child.kill("SIGKILL");
    throw error;
  });
  const identity = identifyProcess(child.pid!);
  return {
    port,
    close: async () => (identity === undefined ? undefined : endProcess(identity, endings)),
  };
}

async function accepts(port: number): Promise<boolean> {
  const socket = connect(port, "127.0.0.1");
  try {
    await once(socket, "connect");
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

/** Where Debian's package has the statements that create the system tables. */
const mariadbShare = "/usr/share/mysql";

/** Starts MariaDB with a user `agent`, whose password is `secret`. */
export async function startMariadb(command: string, dir: string): Promise<TestServer> {
  const data = join(dir, "mariadb");
  await mkdir(data);
  const asRoot = process.getuid?.() === 0 ? ["--user=root"] : [];
  const common = ["--no-defaults", `--datadir=${data}`, ...asRoot];
  const names = ["system_tables", "performance_tables", "system_tables_data"];
  const files = names.map((name) => readFile(join(mariadbShare, `mysql_${name}.sql`), "utf8"));
  const bootstrap = run(command, [...common, "--bootstrap", "--log-warnings=0", "--enforce-storage-engine="]);
  bootstrap.child.stdin?.end(["CREATE DATABASE mysql;", "USE mysql;", ...(await Promise.all(files))].join("\n"));
  await bootstrap;
  const statements = join(dir, "mariadb.sql");
  await writeFile(statements, "CREATE USER agent@'%' IDENTIFIED BY 'secret';\n");
  const port = await freePort();
  const address = ["--bind-address=127.0.0.1", `--port=${port}`, `--socket=${join(dir, "mariadb.sock")}`];
  return startProgram(command, [...common, ...address, `--init-file=${statements}`], port);
}

export interface SshServer extends TestServer {
  /** A client's private key, and the line for its file of known hosts. */
  readonly key: string;
  knownHost(name: string): string;
}

/** Starts an SSH server, in which this process's user can log in with `key`. */
export async function startSsh(command: string, dir: string): Promise<SshServer> {
  const [hostKey, clientKey] = [join(dir, "host-key"), join(dir, "client-key")];
  for (const file of [hostKey, clientKey]) await run("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", file]);
  // The server insists on this directory if it is root. The system creates it when it starts the service.
  if (process.getuid?.() === 0) await mkdir("/run/sshd", { recursive: true, mode: 0o755 });
  const port = await freePort();
  const settings = {
    ListenAddress: `127.0.0.1:${port}`,
    HostKey: hostKey,
    AuthorizedKeysFile: `${clientKey}.pub`,
    PermitRootLogin: "prohibit-password",
    PasswordAuthentication: "no",
    KbdInteractiveAuthentication: "no",
    StrictModes: "no",
    UsePAM: "no",
    PidFile: "none",
  };
  const config = join(dir, "sshd_config");
  await writeFile(
    config,
    Object.entries(settings)
      .map((pair) => `${pair.join(" ")}\n`)
      .join(""),
  );
  const server = await startProgram(command, ["-D", "-e", "-f", config], port);
  const [kind, bytes] = (await readFile(`${hostKey}.pub`, "utf8")).split(" ");
  return {
    ...server,
    key: await readFile(clientKey, "utf8"),
    knownHost: (name) => `[${name}]:${port} ${kind} ${bytes}\n`,
  };
}

export const sshUser = userInfo().username;

/** Creates a bare repository `agent.git` in `dir` whose only commit has the message "hello". */
export async function createRepository(dir: string): Promise<string> {
  const repository = join(dir, "agent.git");
  await run("git", ["init", "--quiet", "--bare", "--initial-branch=main", repository]);
  const { stdout: tree } = await run("git", ["-C", repository, "hash-object", "-t", "tree", "-w", "/dev/null"]);
  const identity = ["-c", "user.name=test", "-c", "user.email=test@example.com"];
  const commit = ["-C", repository, ...identity, "commit-tree", "-m", "hello", tree.trim()];
  const { stdout } = await run("git", commit);
  await run("git", ["-C", repository, "update-ref", "refs/heads/main", stdout.trim()]);
  return repository;
}

export interface WebServer extends TestServer {
  /** The certificate that clients must trust. */
  readonly certificate: string;
}

/**
 * Serves https for `host`: `/git/` is git's own server for the repositories in `dir`, `/simple/` is a Python index with
 * the package `greet`, and everything else is "hello".
 */
export async function startWeb(host: string, dir: string, wheel: string): Promise<WebServer> {
  const authority = createAuthority([host]);
  const server = createHttpsServer(
    { SNICallback: (_name, done) => done(null, authority.contextFor(host)) },
    (request, response) => {
      const url = request.url ?? "";
      if (url.startsWith("/git/")) return void serveGit(dir, request, response);
      if (url === "/simple/greet/") return response.setHeader("content-type", "text/html").end(linkTo(wheel));
      if (url === `/${wheel}`) return void readFile(join(dir, wheel)).then((bytes) => response.end(bytes));
      response.end("hello");
    },
  );
  const port = await listening(server);
  const close = (): Promise<void> => {
    server.closeAllConnections();
    return closeServer(server);
  };
  return { port, certificate: authority.certificate, close };
}

const linkTo = (file: string): string => `<!DOCTYPE html><a href="/${file}">${file}</a>`;

async function serveGit(dir: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = new URL(request.url!, "https://localhost");
  const child = spawn("git", ["http-backend"], {
    env: {
      PATH: process.env["PATH"],
      GIT_PROJECT_ROOT: dir,
      GIT_HTTP_EXPORT_ALL: "1",
      GIT_PROTOCOL: String(request.headers["git-protocol"] ?? ""),
      REQUEST_METHOD: request.method,
      PATH_INFO: url.pathname.slice("/git".length),
      QUERY_STRING: url.search.slice(1),
      CONTENT_TYPE: request.headers["content-type"],
      HTTP_CONTENT_ENCODING: request.headers["content-encoding"],
    },
    stdio: ["pipe", "pipe", "ignore"],
  });
  request.pipe(child.stdin.on("error", () => {}));
  const answer = (await buffer(child.stdout)).toString("latin1");
  const end = answer.indexOf("\r\n\r\n");
  for (const line of answer.slice(0, end).split("\r\n")) {
    const [, name = "", value = ""] = /^([^:]+): (.*)$/.exec(line) ?? [];
    if (name === "Status") response.statusCode = Number.parseInt(value, 10);
    else response.setHeader(name, value);
  }
  response.end(Buffer.from(answer.slice(end + 4), "latin1"));
}

/** Answers the handshakes and pings of MongoDB's drivers as a server without replicas. */
export async function startMongo(): Promise<TestServer> {
  const server = createServer((socket) => void answerDriver(socket.on("error", () => {})));
  return { port: await listening(server), close: () => closeServer(server) };
}

/** The kinds of messages: an old query, which begins a handshake, its reply, and all others. */
const kinds = { reply: 1, query: 2004, message: 2013 } as const;
const headerBytes = 16;

function answerDriver(socket: Socket): void {
  let received = Buffer.of();
  socket.on("data", (chunk: Buffer) => {
    received = Buffer.concat([received, chunk]);
    while (received.length >= 4 && received.length >= received.readInt32LE(0)) {
      const length = received.readInt32LE(0);
      socket.write(answerMessage(received.subarray(0, length)));
      received = received.subarray(length);
    }
  });
}

function answerMessage(message: Buffer): Buffer {
  const isQuery = message.readInt32LE(12) === kinds.query;
  const hello = { ismaster: true, isWritablePrimary: true, minWireVersion: 0, maxWireVersion: 21, readOnly: false };
  const sizes = { maxBsonObjectSize: 16_777_216, maxMessageSizeBytes: 48_000_000, maxWriteBatchSize: 100_000 };
  const answer: Document = { ...hello, ...sizes, localTime: new Date(), ok: 1 };
  const document = Buffer.from(BSON.serialize(answer));
  const head = Buffer.alloc(isQuery ? 20 : 5);
  if (isQuery) head.writeInt32LE(1, 16);
  const header = Buffer.alloc(headerBytes);
  header.writeInt32LE(headerBytes + head.length + document.length, 0);
  header.writeInt32LE(message.readInt32LE(4), 8);
  header.writeInt32LE(isQuery ? kinds.reply : kinds.message, 12);
  return Buffer.concat([header, head, document]);
}

function closeServer(server: Server): Promise<void> {
  server.close();
  return Promise.resolve();
}
