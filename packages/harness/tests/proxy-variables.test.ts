// The proxy variables in each Node of this machine: what goes through the proxy, what does not, and what a start loads
// for it.

import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { execFile, execFileSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer, request } from "node:http";
import { createServer as createSecureServer } from "node:https";
import { connect, type AddressInfo, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { findRuntimes } from "./guest-fixture.ts";

const program = fileURLToPath(new URL("./programs/proxied.mjs", import.meta.url));
const dir = mkdtempSync(join(tmpdir(), "harness-proxy-"));
const origin = createServer((asked, response) => response.end(`origin ${asked.url}`));
const asked: string[] = [];
const proxy = createServer((incoming, response) => {
  asked.push(incoming.url ?? "");
  const path = new URL(incoming.url ?? "").pathname;
  request({ port: portOf(origin), path }, (answer) => void answer.pipe(response)).end();
});
let secure: Server;

const portOf = (server: Server): number => (server.address() as AddressInfo).port;

async function listen(server: Server): Promise<void> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
}

/** Self-signed, for one.example. */
function makeCertificate(): { key: Buffer; cert: Buffer } {
  const [key, cert] = [join(dir, "key.pem"), join(dir, "cert.pem")];
  const names = ["-subj", "/CN=one.example", "-addext", "subjectAltName=DNS:one.example"];
  const how = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"];
  execFileSync("openssl", [...how, ...names, "-keyout", key, "-out", cert], { stdio: "ignore" });
  return { key: readFileSync(key), cert: readFileSync(cert) };
}

beforeAll(async () => {
  secure = createSecureServer(makeCertificate(), (one, response) => response.end(`secure ${one.url}`));
  proxy.on("connect", (incoming, client) => {
    const url = incoming.url ?? "";
    asked.push(url);
    if (url.startsWith("closed.")) return client.end("HTTP/1.1 403 Forbidden\r\n\r\n");
    const upstream = connect(portOf(url.endsWith(":443") ? secure : origin), "127.0.0.1", () => {
      client.write("HTTP/1.1 200 OK\r\n\r\n");
      client.pipe(upstream).pipe(client);
    });
    for (const socket of [client, upstream]) socket.on("error", () => socket.destroy());
  });
  await Promise.all([origin, secure, proxy].map(listen));
});

afterAll(() => {
  for (const server of [origin, secure, proxy]) {
    (server as typeof origin).closeAllConnections();
    server.close();
  }
  rmSync(dir, { recursive: true });
});

interface Said {
  readonly loadedAtStart: string[];
  readonly seenByOthers: boolean;
  readonly said: string[];
}

async function ask(interpreter: string, questions: readonly (readonly [string, string])[]): Promise<Said> {
  asked.length = 0;
  const url = `http://127.0.0.1:${portOf(proxy)}`;
  const direct = "localhost,127.0.0.1,::1";
  const env = {
    ...{ HTTP_PROXY: url, HTTPS_PROXY: url, NO_PROXY: direct },
    ...{ http_proxy: url, https_proxy: url, no_proxy: direct },
    NODE_EXTRA_CA_CERTS: join(dir, "cert.pem"),
  };
  const { stdout } = await promisify(execFile)(interpreter, [program, JSON.stringify(questions)], { env });
  return JSON.parse(stdout) as Said;
}

const nodes = findRuntimes().filter(({ language }) => language === "typescript");

describe.each(nodes)("$title", ({ interpreter, title }) => {
  const [, major, minor] = /v(\d+)\.(\d+)/.exec(title)!.map(Number);
  const isLazy = major! > 24 || (major === 24 && minor! >= 14);

  test("fetch, http and https go through the proxy, but for this machine's own servers", async () => {
    const local = `http://127.0.0.1:${portOf(origin)}/b`;
    const questions = ["http://one.example/a", "https://one.example/s", local].flatMap((url) => [
      ["request", url] as const,
      ["fetch", url] as const,
    ]);
    const { said, seenByOthers } = await ask(interpreter, questions);
    expect(said).toEqual(["origin /a", "origin /a", "secure /s", "secure /s", "origin /b", "origin /b"]);
    expect(asked.map((url) => url.replace("http://one.example/a", "one.example:80"))).toEqual([
      ...["one.example:80", "one.example:80", "one.example:443", "one.example:443"],
    ]);
    expect(seenByOthers).toBe(true);
  });

  test("a connection that the proxy refuses is reported, in fetch and in https", async () => {
    const url = "https://closed.example/c";
    const { said } = await ask(interpreter, [
      ["request", url],
      ["fetch", url],
    ]);
    expect(said).toEqual([expect.stringContaining("403"), expect.stringContaining("403")]);
  });

  // Node reads the variables since 22.21 and 24.5.
  (major! >= 24 ? test : test.skip)("processes and threads that the agent starts go through it as well", async () => {
    const questions = ["child", "thread"].map((way) => [way, "https://one.example/p"] as const);
    expect((await ask(interpreter, questions)).said).toEqual(["secure /p", "secure /p"]);
    expect(asked).toEqual(["one.example:443", "one.example:443"]);
  });

  (isLazy ? test : test.skip)("a start loads neither fetch nor https for it", async () => {
    expect((await ask(interpreter, [])).loadedAtStart).toEqual([]);
  });
});
