// What installers can connect to: this machine's package registries, and nothing that a bundle asks for.

import { once } from "node:events";
import { createServer as createHttpServer } from "node:http";
import { createServer, type AddressInfo, type Server } from "node:net";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import { parseEgressRules } from "@dari/network";
import { createRegistries, toEgressRules } from "../src/registries/registry-rules.ts";
import { manifest, openBuilds, type Files } from "./build-fixture.ts";
import { hostEnvironment } from "./host.ts";

const builds = await openBuilds();
/** Skipped if this machine's driver does not restrict the network. */
const held = builds.guarantees.network === "enforced" ? test : test.skip;
/** Represents a database, a queue or a model server of the host. */
let service: Server;
let port: number;
let connections = 0;
beforeAll(async () => {
  service = createServer((socket) => {
    connections += 1;
    socket.on("error", () => {}).end();
  }).listen(0, "127.0.0.1");
  await once(service, "listening");
  port = (service.address() as AddressInfo).port;
});
beforeEach(() => void (connections = 0));
afterAll(async () => {
  service.close();
  await builds[Symbol.asyncDispose]();
});

/** A package whose build program, which pip runs, connects to the given targets and prints the results. */
function prober(targets: readonly string[]): Files {
  return {
    "dari.yml": manifest("agent.py:agent"),
    "agent.py": "def agent(prompt):\n    return prompt\n",
    "requirements.txt": "./probe\n",
    "probe/pyproject.toml": `[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n`,
    "probe/backend.py": `
import os, socket
from urllib.parse import urlsplit

def reach(address, sends):
    try:
        with socket.create_connection(address, timeout=5) as connection:
            if sends:
                connection.sendall(sends)
            # The worker accepts a connection by name, and resets it if no rule allows it.
            heard = connection.recv(64)
            return heard.split(b" ")[1].decode() if sends else "connected"
    except OSError as error:
        return type(error).__name__

def build_wheel(*_):
    proxy = urlsplit(os.environ["HTTPS_PROXY"])
    said = []
    for target in ${JSON.stringify(targets)}:
        host, _, port = target.rpartition(":")
        asked = f"CONNECT {target} HTTP/1.1\\r\\nHost: {target}\\r\\n\\r\\n".encode()
        said.append(f"{target} {reach((host, int(port)), None)} {reach((proxy.hostname, proxy.port), asked)}")
    raise SystemExit("REACHED " + "; ".join(said))
`,
  };
}

describe("a build program of a bundle", () => {
  held("reaches no service of the host or its network, and no stranger, directly or by the proxy", async () => {
    const { result, log } = await builds.build(
      prober([`127.0.0.1:${port}`, "169.254.169.254:80", "10.0.0.1:5432", "example.com:443"]),
    );
    expect(result.ok).toBe(false);
    const said = /REACHED (.*)/.exec(log)?.[1];
    expect(said).toBe(
      [
        `127.0.0.1:${port} ConnectionRefusedError 403`,
        "169.254.169.254:80 OSError 403",
        "10.0.0.1:5432 OSError 403",
        "example.com:443 ConnectionResetError 403",
      ].join("; "),
    );
    expect(connections).toBe(0);
    expect(log).toContain("network: 169.254.169.254:80 was refused: it is not on the allow-list");
  });

  held("reaches what the operator names, and with `open` still no private address", async () => {
    const named = { mode: "off", rules: parseEgressRules(`127.0.0.1:${port}`) } as const;
    const first = await builds.build(prober([`127.0.0.1:${port}`]), { egress: named });
    expect(first.log).toContain(`REACHED 127.0.0.1:${port} connected 200`);
    const open = await builds.build(prober([`127.0.0.1:${port}`, "10.0.0.1:5432"]), {
      egress: { mode: "open", rules: [] },
    });
    expect(open.log).toContain(`127.0.0.1:${port} ConnectionRefusedError 403; 10.0.0.1:5432 OSError 403`);
  });

  held("a registry that only the bundle names is refused, and log and failure say which", async () => {
    const { result, log } = await builds.build({
      "dari.yml": manifest("agent.js:agent"),
      "agent.js": "exports.agent = (p) => p;",
      "package.json": JSON.stringify({ dependencies: { ms: "2.1.3" } }),
      ".npmrc": "registry=http://registry.example/\nfetch-retries=0\n",
    });
    const message = expect.stringMatching(
      /^npm install failed[^]*\nregistry\.example:80 was refused: builds reach only/,
    );
    expect(result).toEqual({ ok: false, failure: { code: "build_failed", message } });
    expect(log).toContain("network: registry.example:80 was refused: it is not on the allow-list");
  });
});

describe("registries", () => {
  test.each([
    ["https://packages.example/npm/", { kind: "service", name: "packages.example", port: 443 }],
    ["http://packages.example:4873", { kind: "service", name: "packages.example", port: 4873 }],
    ["http://localhost:4873/", { kind: "endpoint", address: "127.0.0.1", port: 4873 }],
    ["http://[::1]:4873/", { kind: "endpoint", address: "::1", port: 4873 }],
    ["http://10.1.2.3/simple\n", { kind: "endpoint", address: "10.1.2.3", port: 80 }],
  ])("%s is exactly its host and port", (address, rule) => expect(toEgressRules([address])).toEqual([rule]));

  test.each(["", "/opt/wheels", "file:///opt/wheels", "undefined"])("%j is no registry", (address) => {
    expect(toEgressRules([address])).toEqual([]);
  });

  test("are those of the environment, and where a package index says that its files are", async () => {
    const index = createHttpServer((request, response) => {
      const files = [
        "https://files.example/a.whl#sha256=0",
        "https://files.example/b.whl",
        "../own.whl",
        "http://10.0.0.1/",
      ];
      response.end(request.url === "/simple/pip/" ? files.map((file) => `<a href="${file}">x</a>`).join("\n") : "");
    }).listen(0, "127.0.0.1");
    await once(index, "listening");
    const at = (index.address() as AddressInfo).port;
    const env = {
      NPM_CONFIG_REGISTRY: "https://npm.example/",
      PIP_INDEX_URL: `http://127.0.0.1:${at}/simple`,
      PIP_EXTRA_INDEX_URL: "http://127.0.0.1:1/simple http://127.0.0.1:2/",
      PIP_FIND_LINKS: "/opt/wheels",
    };
    const registries = createRegistries({ env, getNpm: () => Promise.resolve(undefined) });
    expect(await registries.npm()).toEqual([{ kind: "service", name: "npm.example", port: 443 }]);
    expect(await registries.python("/nowhere/python")).toEqual([
      ...[at, 1, 2].map((port) => ({ kind: "endpoint", address: "127.0.0.1", port })),
      { kind: "name", name: "files.example", subdomains: false, port: 443 },
    ]);
    index.close();
  });

  test("without settings, npm and pip name their own registries", async () => {
    const { npm } = await builds.runtimes.installTools();
    const { command } = await builds.runtimes.resolve("python", undefined);
    const { PATH = "" } = hostEnvironment();
    const registries = createRegistries({ env: { PATH }, getNpm: () => Promise.resolve(npm) });
    const service = { kind: "service", name: expect.stringMatching(/\./), port: 443 };
    expect(await registries.npm()).toEqual([service]);
    expect(await registries.python(command)).toEqual([service, service]);
  });

  test("a failed lookup is repeated", async () => {
    const registries = createRegistries({ env: {}, getNpm: () => Promise.resolve(undefined) });
    const rules = toEgressRules(["https://yarn.example/"]);
    expect(await registries.remembered("yarn", () => Promise.reject(new Error("away")))).toEqual([]);
    expect(await registries.remembered("yarn", () => Promise.resolve(rules))).toEqual(rules);
    expect(await registries.remembered("yarn", () => Promise.reject(new Error("asked twice")))).toEqual(rules);
  });
});
