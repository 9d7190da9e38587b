// Builds that fail early: each error names the cause in the tenant's own terms, and nothing is left behind.

import { once } from "node:events";
import { createServer, type AddressInfo, type Socket } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { createRuntimes, type Runtimes } from "../src/index.ts";
import { manifest, openBuilds, supportAgent, type Builds, type Files } from "./build-fixture.ts";
import { hostEnvironment } from "./host.ts";

let builds: Builds;
beforeAll(async () => {
  builds = await openBuilds();
});
afterAll(() => builds[Symbol.asyncDispose]());

describe("what ends a build early", () => {
  test("an entrypoint that is not a file", async () => {
    const failed = await builds.failureOf({ ...supportAgent, "dari.yml": manifest("src/missing.ts:agent") });
    const message = expect.stringMatching(/src\/missing\.ts does not exist; the bundle has src\/agent\.ts/);
    expect(failed).toEqual({ code: "entrypoint_not_found", message });
  });

  test.each<[string, Files, string, RegExp]>([
    [
      "an export that is not there",
      { "dari.yml": manifest("src/agent.ts:helper") },
      "entrypoint_not_found",
      /^src\/agent\.ts has no export "helper"; it exports agent$/,
    ],
    [
      "an export that cannot be run",
      { "src/agent.ts": "export const agent: number = 4;" },
      "unsupported_export",
      /^src\/agent\.ts:agent is a number/,
    ],
    [
      "a module that exits",
      { "src/agent.ts": "process.exit(3); export const agent = () => 1;" },
      "build_failed",
      /^src\/agent\.ts could not be loaded:\nthe agent's process exited with code 3/,
    ],
    [
      "a module that runs itself and exports nothing",
      { "src/agent.ts": "async function main(): Promise<void> {}\nawait main();\n" },
      "entrypoint_not_found",
      /no export "agent"; it exports nothing by name; export a function that takes the prompt and returns the answer/,
    ],
    [
      "a function in TypeScript that asks at a terminal",
      {
        "src/agent.ts": `import { createInterface } from "node:readline/promises";
          export async function agent(): Promise<void> {
            const terminal = createInterface({ input: process.stdin });
            for (;;) console.log(await terminal.question("You: "));
          }`,
      },
      "unsupported_export",
      /^src\/agent\.ts:agent takes no prompt and reads standard input.*; export a function that takes the prompt/,
    ],
    [
      "a function in Python that calls one that asks at a terminal",
      {
        "dari.yml": manifest("agent.py:main"),
        "agent.py": [
          "import asyncio",
          "async def chat():",
          "    while True:",
          "        print(input('You: '))",
          "def main():",
          "    asyncio.run(chat())",
        ].join("\n"),
      },
      "unsupported_export",
      /^agent\.py:main takes no prompt and reads standard input.*; export a function that takes the prompt/,
    ],
    [
      "a Python module that asks at a terminal while it is imported",
      { "dari.yml": manifest("agent.py:agent"), "agent.py": "name = input('You: ')\ndef agent(prompt): return name\n" },
      "unsupported_export",
      /agent\.py reads standard input while it is imported.*; export a function that takes the prompt/,
    ],
    [
      "a syntax error in JavaScript",
      { "dari.yml": manifest("agent.js:agent"), "agent.js": "export const agent = () => 1;\nconst const = 2;\n" },
      "build_failed",
      /agent\.js:2:7: /,
    ],
    [
      "a syntax error in Python",
      { "dari.yml": manifest("agent.py:agent"), "agent.py": "def agent(p):\n    return 1\ndef (:\n" },
      "build_failed",
      /agent\.py", line 3[^]*SyntaxError|SyntaxError[^]*agent\.py, line 3/,
    ],
    [
      "a Python module that throws",
      { "dari.yml": manifest("agent.py:agent"), "agent.py": "import nowhere\ndef agent(p): return 1\n" },
      "build_failed",
      /could not be loaded:\n.*No module named 'nowhere'; add nowhere to requirements\.txt\n[^]*agent\.py", line 1/,
    ],
  ])("%s", async (_name, files, code, message) => {
    const failed = await builds.failureOf({ ...supportAgent, ...files });
    expect(failed).toEqual({ code, message: expect.stringMatching(message) });
  });

  test("secrets and env are there when the module is loaded", async () => {
    const source = `if (!process.env.API_KEY || process.env.MODE !== "x") throw new Error("no env");
export const agent = () => 1;`;
    const yml = manifest("src/agent.ts:agent", "secrets: [API_KEY]\nenv: {MODE: x}\n");
    const { result } = await builds.build({ ...supportAgent, "dari.yml": yml, "src/agent.ts": source });
    expect(result).toMatchObject({ ok: true });
  });

  test("a runtime that is not available", async () => {
    const failed = await builds.failureOf({
      ...supportAgent,
      "dari.yml": manifest("src/agent.ts:agent", `runtime: {version: "19"}\n`),
    });
    expect(failed).toEqual({ code: "runtime_unavailable", message: expect.stringMatching(/"19".*available: /) });
  });

  test("an abort is thrown, not reported as the tenant's, and kills what runs", async () => {
    await using registry = await silentRegistry();
    const controller = new AbortController();
    const building = builds.build(registry.files, { signal: controller.signal, runtimes: registry.runtimes });
    const connection = await registry.asked;
    const closed = once(connection, "close");
    controller.abort(new Error("shutting down"));
    await expect(building).rejects.toThrow("shutting down");
    await closed;
  });

  test("a build that takes too long fails with its step and its last output", async () => {
    const { result } = await builds.build(
      {
        "dari.yml": manifest("agent.js:agent"),
        "agent.js": "console.log('loading'); for (;;);",
      },
      { timeoutMs: 4000 },
    );
    const message = "the build took longer than 4 s; it was at: check\nloading";
    expect(result).toEqual({ ok: false, failure: { code: "build_failed", message } });
  });

  test("a build that takes too long names the running installer", async () => {
    await using registry = await silentRegistry();
    const { result, log } = await builds.build(registry.files, { timeoutMs: 1500, runtimes: registry.runtimes });
    const message = "the build took longer than 1.5 s; it was at: npm install";
    expect(result).toEqual({ ok: false, failure: { code: "build_failed", message } });
    expect(log).toMatch(/npm install: failed after \d\.\d\d s\n.*\nbuild failed: the build took longer/);
  });
});

interface SilentRegistry extends AsyncDisposable {
  readonly files: Files;
  readonly runtimes: Runtimes;
  /** Resolves with the connection when an installer sends a request, which is never answered. */
  readonly asked: Promise<Socket>;
}

async function silentRegistry(): Promise<SilentRegistry> {
  const server = createServer();
  const asked = once(server, "connection").then(([socket]) => socket as Socket);
  server.on("connection", (socket) => socket.on("error", () => {}).resume());
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const npmRegistry = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  return {
    asked,
    files: { ...supportAgent, "package.json": `{"dependencies":{"greet":"1.0.0"}}` },
    runtimes: createRuntimes({ cacheDir: builds.fresh(), npmRegistry, env: { PATH: hostEnvironment().PATH! } }),
    async [Symbol.asyncDispose]() {
      server.close();
      await once(server, "close");
    },
  };
}
