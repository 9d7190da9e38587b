// The packages as users install them: from a platform into empty directories, with several versions of Node and Python,
// and the TypeScript client with Deno, Bun and a browser.

import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { dariRelease } from "@dari/contract";
import { atNight, describeWith, isNightly } from "@dari/testkit";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import type { Browser } from "playwright-core";
import { startBrowser } from "../src/browser.ts";
import { machineEnvironment } from "../src/config.ts";
import { manifestFile } from "../src/conversation.ts";
import { run } from "../src/curl.ts";
import { deployFiles } from "../src/deploy-files.ts";
import { bunProgram, denoProgram, nodeDirectory, type NodeMajor } from "../src/npm-programs.ts";
import { checkout } from "../src/program.ts";
import { pythonEnvironment, runOrThrow } from "../src/python-environment.ts";
import { startStandalone, type StandaloneProcess } from "../src/standalone-process.ts";

const wheel = `dari_client-${dariRelease}-py3-none-any.whl`;
const echo = {
  ...manifestFile({ name: "echo", entrypoint: "agent.mjs:agent" }),
  "agent.mjs": `export async function* agent(prompt, context) {
    yield "You said: ";
    yield await context.tool("repeat", { prompt }, () => prompt);
  }`,
};

/** Strict programs of both languages that stream an answer with a tool call, send a file, and read lists. */
const typescript = `import { ApiError, createClient, eachRow, isMessageEnd, type Message } from "@dari/client";

const [apiUrl = "", apiKey = "", agentId = ""] = process.argv.slice(2);
const client = createClient({ apiUrl, apiKey });
const names: string[] = [];
for await (const agent of eachRow((page) => client.listAgents(page))) names.push(agent.name);
const session = await client.createSession(agentId);
let text = "";
const calls: string[] = [];
let end: Message | undefined;
for await (const event of client.stream(session.id, "streamed")) {
  switch (event.type) {
    case "assistant.text_delta":
      text += event.data.text;
      break;
    case "tool.call_requested":
      calls.push(\`\${event.data.name} \${JSON.stringify(event.data.arguments)}\`);
      break;
    case "tool.call_completed":
      if (!event.data.is_error) calls.push(String(event.data.result));
      break;
    default:
      if (isMessageEnd(event)) end = event.data;
  }
}
const files = [{ filename: "a.txt", content: "bytes" }];
const sent: Message = await client.send(session.id, "with a file", { files });
const refused = await client.getAgent("agt_unknown").catch((error: unknown) => error);
const code: string = refused instanceof ApiError ? refused.code : "none";
// Previews may be missing, but are never wrong.
const isPreview = "You said: streamed".startsWith(text);
const seen = [names.includes("echo"), isPreview, end?.status, sent.status, sent.parts.length, code, ...calls];
console.log(JSON.stringify(seen));
`;
const python = `import json
import sys

from dari_client import ApiError, Client, each_row
from dari_client.models import Message

api_url, api_key, agent_id = sys.argv[1:]
with Client(api_url, api_key) as client:
    names: list[str] = [agent["name"] for agent in each_row(client.list_agents)]
    session = client.create_session(agent_id)
    text = ""
    calls: list[str] = []
    status = ""
    for event in client.stream(session["id"], "streamed"):
        match event.type:
            case "assistant.text_delta":
                text += event.data["text"]
            case "tool.call_requested":
                calls.append(event.data["name"] + " " + json.dumps(event.data["arguments"], separators=(",", ":")))
            case "tool.call_completed":
                if not event.data["is_error"]:
                    calls.append(str(event.data["result"]))
            case "message.completed":
                status = event.data["status"]
    sent: Message = client.send(session["id"], "with a file", files=[("a.txt", b"bytes")])
    code = "none"
    try:
        client.get_agent("agt_unknown")
    except ApiError as error:
        code = error.code
    is_preview = "You said: streamed".startswith(text)
    print(json.dumps(["echo" in names, is_preview, status, sent["status"], len(sent["parts"]), code, *calls]))
`;
const seen = [true, true, "completed", "completed", 2, "not_found", 'repeat {"prompt":"streamed"}', "streamed"];
const expected = JSON.stringify(seen);
const expectedOfPython = `[${seen.map((value) => JSON.stringify(value)).join(", ")}]`;

const dir = mkdtempSync(join(tmpdir(), "dari-installed-"));
let platform: StandaloneProcess;
let agentId: string;

beforeAll(async () => {
  await runOrThrow(process.execPath, [join(checkout, "scripts/run.mjs"), "packages"]);
  platform = await startStandalone();
  ({ agentId } = await deployFiles(platform, echo));
}, 300_000);

afterAll(async () => {
  await platform?.[Symbol.asyncDispose]();
  rmSync(dir, { recursive: true, force: true });
}, 120_000);

function emptyDirectory(name: string): string {
  const path = join(dir, name);
  mkdirSync(path);
  return path;
}

const npmInstall = ["install", "--no-audit", "--no-fund", "--loglevel=error"];

describe.each(isNightly() ? ([20, 22, 24] as const) : ([24] as const))("the command on Node %d", (major) => {
  let home: string;
  let environment: Record<string, string>;

  beforeAll(async () => {
    home = emptyDirectory(`home-${major}`);
    const machine = machineEnvironment()["PATH"] ?? "";
    const path = [join(home, ".local/bin"), await nodeDirectory(major), machine].join(delimiter);
    environment = { HOME: home, PATH: path, DARI_API_URL: platform.apiUrl, DARI_API_KEY: platform.apiKey };
  }, 300_000);

  const sh = (script: string) => run("env", ["-i", ...pairs(environment), "sh", "-c", script], { cwd: home });

  test("one line installs it, and it lists agents and serves MCP", async () => {
    const installed = await sh(`curl -fsSL ${platform.apiUrl}/install.sh | sh`);
    expect(installed).toMatchObject({ code: 0, stderr: "" });
    expect(installed.stdout).toContain(`in ${home}/.local/bin\nNext: dari init my-agent\n`);
    expect((await sh("dari --help")).stdout).toContain("Usage: dari");
    const remembered = "cd / && unset DARI_API_URL DARI_API_KEY && dari agents list --json";
    const listed = JSON.parse((await sh(remembered)).stdout) as unknown;
    expect(listed).toContainEqual(expect.objectContaining({ id: agentId, name: "echo" }));
    const tools = new Client({ name: "test", version: "1" });
    const command = join(home, ".local/bin/dari");
    await tools.connect(new StdioClientTransport({ command, args: ["mcp"], env: environment, cwd: home }));
    const { content } = await tools.callTool({ name: "list_agents", arguments: {} });
    await tools.close();
    expect(JSON.stringify(content)).toContain(agentId);
  }, 300_000);

  test("npm installs it, as the example of publishing from CI does, and it deploys an agent", async () => {
    const workflow = readFileSync(join(checkout, "examples/ci/github-actions.yml"), "utf8");
    const install = / run: (npm install --global .*)\n/.exec(workflow)?.[1] ?? "";
    const prefix = join(home, "prefix");
    const installed = await sh(`npm_config_prefix="${prefix}" ${install}`);
    expect(installed).toMatchObject({ code: 0 });
    const deployed = await sh(`dari init agent-${major} && ${prefix}/bin/dari deploy agent-${major} --json`);
    expect(deployed.stderr).not.toContain("dari: ");
    expect(JSON.parse(deployed.stdout.slice(deployed.stdout.indexOf("{")))).toMatchObject({ version_status: "ready" });
  }, 300_000);
});

const pairs = (environment: Readonly<Record<string, string>>) =>
  Object.entries(environment).map(([name, value]) => `${name}=${value}`);

atNight(test)(
  "a Node that is too old says in one line what to do",
  async () => {
    const home = emptyDirectory("home-18");
    const environment = { HOME: home, PATH: [await nodeDirectory(18), "/usr/bin", "/bin"].join(delimiter) };
    const sh = (script: string) => run("env", ["-i", ...pairs(environment), "sh", "-c", script], { cwd: home });
    const installed = await sh(`curl -fsSL ${platform.apiUrl}/install.sh | sh`);
    expect(installed).toMatchObject({ code: 1, stdout: "" });
    expect(installed.stderr).toBe(
      "dari: dari needs Node 20 or newer; this is Node v18.20.8; install a newer one and try again\n",
    );
    const started = await sh(`curl -fsSL ${platform.apiUrl}/packages/dari-cli.tgz | tar -xz && node package/dari.cjs`);
    expect(started.code).toBe(2);
    expect(started.stderr).toMatch(/^dari needs Node 20 or newer; this is Node 18\.20\.8 .*\n$/);
  },
  300_000,
);

describe("the TypeScript client", () => {
  let project: string;

  beforeAll(async () => {
    project = emptyDirectory("typescript");
    writeFileSync(join(project, "package.json"), JSON.stringify({ private: true, type: "module" }));
    const packages = [`${platform.apiUrl}/packages/dari-client.tgz`, "typescript@5.9.3", "@types/node@20.19.24"];
    await runOrThrow("npm", [...npmInstall, ...packages], { cwd: project });
    writeFileSync(join(project, "use.ts"), typescript);
  }, 300_000);

  test.each(isNightly() ? ["nodenext", "bundler"] : ["nodenext"])(
    "its types pass --strict with --moduleResolution %s",
    async (resolution) => {
      const module = resolution === "bundler" ? "es2022" : "nodenext";
      const flags = ["--strict", "--target", "es2022", "--module", module, "--moduleResolution", resolution];
      const checked = await run(join(project, "node_modules/.bin/tsc"), [...flags, "use.ts"], { cwd: project });
      expect(checked).toMatchObject({ code: 0, stdout: "" });
    },
    120_000,
  );

  test.each(isNightly() ? ([18, 20, 22, 24] as const) : ([24] as const))(
    "it talks to the platform on Node %d",
    async (major: NodeMajor) => {
      const node = join(await nodeDirectory(major), "node");
      const { apiUrl, apiKey } = platform;
      const used = await run(node, ["--no-warnings", "use.js", apiUrl, apiKey, agentId], { cwd: project });
      expect(used).toMatchObject({ code: 0, stderr: "", stdout: `${expected}\n` });
    },
    300_000,
  );

  atNight(test).each([
    ["Deno", denoProgram, ["run", "--allow-net", "--no-prompt"]],
    ["Bun", bunProgram, ["run"]],
  ] as const)(
    "it talks to the platform on %s",
    async (_name, program, options) => {
      const { apiUrl, apiKey } = platform;
      const used = await run(await program(), [...options, "use.js", apiUrl, apiKey, agentId], {
        cwd: project,
        env: { DENO_DIR: join(dir, "deno"), DENO_NO_UPDATE_CHECK: "1" },
      });
      expect(used).toMatchObject({ code: 0, stdout: `${expected}\n` });
    },
    300_000,
  );

  describeWith("chromium", "in a browser", ({ command }) => {
    let browser: Browser;
    beforeAll(async () => {
      browser = await startBrowser(command);
    }, 60_000);
    afterAll(() => browser?.close());

    /** Opens a page of this origin that runs the program. Returns its first line, or the error that ended it. */
    async function runPage(origin: string): Promise<string> {
      const page = await browser.newPage();
      const types = { html: "text/html", js: "text/javascript" };
      await page.route(`${origin}/use/**`, async (route) => {
        const name = new URL(route.request().url()).pathname.slice("/use/".length);
        const contentType = types[name.endsWith(".html") ? "html" : "js"];
        const place = name === "use.js" ? name : join("node_modules/@dari/client", name);
        const body = name === "page.html" ? pageOf(platform) : readFileSync(join(project, place));
        await route.fulfill({ contentType, body });
      });
      const said = new Promise<string>((resolve) => {
        page.on("console", (message) => message.type() === "log" && resolve(message.text()));
        page.on("pageerror", (error) => resolve(error.message));
      });
      await page.goto(`${origin}/use/page.html`);
      return await said.finally(() => page.close());
    }

    const pageOf = ({ apiUrl, apiKey }: StandaloneProcess): string => `<!doctype html>
<script>globalThis.process = { argv: ["", "", ${JSON.stringify([apiUrl, apiKey, agentId]).slice(1, -1)}] };</script>
<script type="importmap">{ "imports": { "@dari/client": "/use/index.js" } }</script>
<script type="module" src="/use/use.js"></script>`;

    test("a page of the platform's origin talks to it", async () => {
      expect(await runPage(platform.apiUrl)).toBe(expected);
    }, 60_000);

    test("a page of another origin is refused by the browser, because the API allows none", async () => {
      const elsewhere = platform.apiUrl.replace("127.0.0.1", "localhost");
      expect(elsewhere).not.toBe(platform.apiUrl);
      expect(await runPage(elsewhere)).toMatch(/cannot reach http:\/\/127\.0\.0\.1:\d+: Failed to fetch/);
    }, 60_000);
  });

  test("npm packs what was installed, without sources and workspaces", async () => {
    const installed = join(project, "node_modules/@dari/client");
    const { stdout } = await runOrThrow("npm", ["pack", "--dry-run", "--json"], { cwd: installed });
    const [{ files }] = JSON.parse(stdout) as [{ files: { path: string }[] }];
    const names = files.map(({ path }) => path);
    expect(names).toEqual(expect.arrayContaining(["index.js", "types/index.d.ts", "README.md", "LICENSE"]));
    expect(names.filter((name) => name.endsWith(".ts") && !name.endsWith(".d.ts"))).toEqual([]);
    expect(readFileSync(join(installed, "package.json"), "utf8")).not.toContain("workspace:");
  }, 120_000);
});

/** Every Python from 3.10 on the PATH, or in the versions of pyenv. */
const pythons = ["3.10", "3.11", "3.12", "3.13", "3.14"].flatMap((version) => {
  const kept = join(homedir(), ".pyenv/versions");
  const managed = existsSync(kept) ? readdirSync(kept).filter((name) => name.startsWith(`${version}.`)) : [];
  const places = [
    ...(machineEnvironment()["PATH"] ?? "").split(delimiter).map((folder) => join(folder, `python${version}`)),
    ...managed.map((name) => join(kept, name, "bin/python")),
  ];
  const found = places.find((place) => existsSync(place) && !place.includes("/shims/"));
  return found === undefined ? [] : [[version, found] as const];
});

atNight(describe)("the Python client", () => {
  test("its wheel has what hatchling builds", async () => {
    const { program } = await pythonEnvironment("client", ["httpx==0.28.1", "mypy==2.4.1", "hatchling==1.33.0"]);
    const target = emptyDirectory("wheel");
    const source = join(checkout, "packages/client-python");
    await runOrThrow(program("pip"), ["wheel", "-q", "--no-deps", "--no-build-isolation", "-w", target, source]);
    const served = await fetch(`${platform.apiUrl}/packages/${wheel}`);
    writeFileSync(join(target, "served.whl"), Buffer.from(await served.arrayBuffer()));
    const script = `import sys, zipfile
for path in sys.argv[1:]:
    names = zipfile.ZipFile(path).namelist()
    print(sorted(name for name in names if not name.endswith(("RECORD", "WHEEL", "LICENSE"))))`;
    const { stdout } = await runOrThrow(program("python"), ["-c", script, "served.whl", wheel], { cwd: target });
    const [ours, theirs] = stdout.trim().split("\n");
    expect(ours).toBe(theirs);
  }, 300_000);

  test.each(["3.10", "3.14"])(
    "its types hold with --strict for Python %s",
    async (version) => {
      const { program } = await pythonEnvironment("client", ["httpx==0.28.1", "mypy==2.4.1", "hatchling==1.33.0"]);
      const home = emptyDirectory(`types-${version}`);
      writeFileSync(join(home, "use.py"), python);
      const flags = ["--strict", "--cache-dir", join(home, ".mypy"), "--python-version", version];
      const site = join(home, "site");
      const url = `${platform.apiUrl}/packages/${wheel}`;
      await runOrThrow(program("pip"), ["install", "-q", "--no-deps", "--target", site, url], { cwd: home });
      const checked = await run(program("mypy"), [...flags, "use.py"], { cwd: home, env: { MYPYPATH: site } });
      expect(checked).toMatchObject({ code: 0, stdout: expect.stringMatching(/^Success/) });
    },
    120_000,
  );

  test.each(pythons)(
    "it talks to the platform on Python %s",
    async (version, interpreter) => {
      const home = emptyDirectory(`python-${version}`);
      await runOrThrow(interpreter, ["-m", "venv", join(home, "venv")]);
      const url = `${platform.apiUrl}/packages/${wheel}`;
      await runOrThrow(join(home, "venv/bin/pip"), ["install", "-q", "--disable-pip-version-check", url], {
        cwd: home,
      });
      writeFileSync(join(home, "use.py"), python);
      const { apiUrl, apiKey } = platform;
      const used = await run(join(home, "venv/bin/python"), ["use.py", apiUrl, apiKey, agentId], { cwd: home });
      expect(used).toMatchObject({ code: 0, stderr: "", stdout: `${expectedOfPython}\n` });
      const { program } = await pythonEnvironment("client", ["httpx==0.28.1", "mypy==2.4.1", "hatchling==1.33.0"]);
      const flags = [
        "--strict",
        "--cache-dir",
        join(home, ".mypy"),
        "--python-executable",
        join(home, "venv/bin/python"),
      ];
      const checked = await run(program("mypy"), [...flags, "--python-version", version, "use.py"], { cwd: home });
      expect(checked).toMatchObject({ code: 0, stdout: expect.stringMatching(/^Success/) });
    },
    300_000,
  );
});
