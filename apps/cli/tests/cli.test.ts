// Tests the command against a small HTTP server on loopback.

import { dariRelease } from "@dari/contract";
import { afterEach, describe, expect, test } from "@jest/globals";
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { chmod, mkdir, readFile, stat } from "node:fs/promises";
import { createServer, type RequestListener, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { runDari, spawnDari, temporaryTree } from "./run-dari.ts";

const manifest = "name: demo\nsdk: pi\nentrypoint: src/agent.ts:agent\n";
let server: Server | undefined;

afterEach(async () => {
  server?.closeAllConnections();
  await new Promise((resolve) => (server === undefined ? resolve(undefined) : server.close(resolve)));
  server = undefined;
});

async function serve(listener: RequestListener): Promise<string> {
  server = createServer(listener);
  await new Promise<void>((resolve) => server?.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function reply(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
}

describe("usage", () => {
  test("--help lists the commands and the exit codes", async () => {
    await using root = await temporaryTree({});
    const { code, stdout } = await spawnDari(["--help"], { cwd: root.path });
    expect(code).toBe(0);
    const groups = {
      "Write and deploy agents": ["init", "deploy", "manifest", "agents"],
      "Talk to agents": ["chat", "session", "message", "files"],
      Automate: ["schedules", "webhooks"],
      Connect: ["login", "env"],
      Administer: ["credentials", "org", "doctor"],
    };
    for (const [heading, commands] of Object.entries(groups)) {
      const group = stdout.split(`\n${heading}:\n`)[1]?.split("\n\n")[0];
      for (const command of commands) expect(`\n${group}`).toContain(`\n  ${command} `);
    }
    expect(stdout).not.toContain("\nCommands:\n");
    expect(stdout).toContain("Exit codes: 0 done");
  });

  test.each([
    [["frobnicate"], "unknown command 'frobnicate'"],
    [["deploy", "--frob"], "unknown option '--frob'"],
    [["session", "send", "sess_1"], "missing required argument 'text'"],
    [["session", "send", "sess_1", "x", "--limit-cost", "1e3"], "expected US dollars, such as 0.5 or 2"],
    [["session", "list", "--limit", "0"], "expected a whole number from 1 to 999,999"],
    [["session", "list", "--api-url", "ftp://x"], "must start with http:// or https://"],
    [["session", "create", "agt_1", "--metadata", "x"], "--metadata expects key=value"],
    [["session", "create"], "this directory was not deployed to http"],
    [["credentials", "add", "KEY"], "pass --value-stdin"],
  ])("%j is refused with exit code 2", async (args, message) => {
    await using root = await temporaryTree({});
    const { code, stderr, stdout } = await runDari(args, { cwd: root.path });
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toContain(message);
  });

  test("a platform that is not there is exit code 7", async () => {
    await using root = await temporaryTree({});
    const { code, stderr } = await spawnDari(["agents", "list", "--api-url", "http://127.0.0.1:1"], { cwd: root.path });
    expect(code).toBe(7);
    expect(stderr).toMatch(/^dari: cannot reach http:\/\/127\.0\.0\.1:1: .*\n.*--api-url, DARI_API_URL/);
  });

  test("a single problem is shown once, several are listed", async () => {
    const one = { path: "agent_id", message: "expected an id that starts with 'agt_'" };
    const two = { path: "name", message: "expected a string" };
    let detail = `${one.path}: ${one.message}`;
    let errors = [one];
    const url = await serve((_request, response) => reply(response, 422, { detail, code: "invalid", errors }));
    await using root = await temporaryTree({});
    const single = await runDari(["agents", "get", "x", "--api-url", url], { cwd: root.path });
    expect(single.stderr).toBe(`dari: ${detail}\n`);
    [errors, detail] = [[one, two], "the body is invalid"];
    const several = await runDari(["agents", "get", "x", "--api-url", url], { cwd: root.path });
    expect(several.stderr).toBe(`dari: ${detail}\n- ${one.path}: ${one.message}\n- ${two.path}: ${two.message}\n`);
  });

  test("--version is the release", async () => {
    await using root = await temporaryTree({});
    const { code, stdout } = await spawnDari(["--version"], { cwd: root.path });
    expect({ code, stdout }).toEqual({ code: 0, stdout: `${dariRelease}\n` });
    // Only the command itself has it, so it is not among other commands' options.
    const { stdout: help } = await runDari(["agents", "list", "--help"], { cwd: root.path });
    expect([help.includes("--json"), help.includes("--version")]).toEqual([true, false]);
  });

  test("compiled code is stored in the user's own directory, and never where others can write", async () => {
    await using root = await temporaryTree({});
    const runsFrom = async (home: string): Promise<boolean> => {
      const environment = { HOME: home, NODE_COMPILE_CACHE: "" };
      expect((await spawnDari(["--version"], { cwd: root.path, environment })).code).toBe(0);
      return existsSync(join(home, ".cache", "dari")) && readdirSync(join(home, ".cache", "dari")).length > 0;
    };
    expect(await runsFrom(root.path)).toBe(true);
    const shared = join(root.path, "shared");
    await mkdir(join(shared, ".cache", "dari"), { recursive: true });
    await chmod(join(shared, ".cache"), 0o1777);
    expect(await runsFrom(shared)).toBe(false);
    expect(await runsFrom(join(root.path, "missing"))).toBe(false);
  });
});

describe("dari manifest validate", () => {
  test("validate says everything that is wrong", async () => {
    await using root = await temporaryTree({ "dari.yml": `${manifest}runtime: {timeout_seconds: 0}\nsecrets: ['']\n` });
    const { code, stderr } = await runDari(["manifest", "validate"], { cwd: root.path });
    expect(code).toBe(2);
    expect(stderr).toBe(
      "dari: Manifest validation failed for dari.yml:\n" +
        "- runtime.timeout_seconds: expected a positive integer\n" +
        "- secrets[0]: expected a non-empty secret name\n",
    );
    const asJson = await runDari(["manifest", "validate", "--json"], { cwd: root.path });
    expect(JSON.parse(asJson.stdout)).toMatchObject({ valid: false, errors: [{}, {}] });
    const missing = await runDari(["manifest", "validate", "nowhere"], { cwd: root.path });
    expect(missing).toMatchObject({ code: 2, stderr: expect.stringContaining("there is no nowhere/dari.yml; ") });
  });
});

describe("dari deploy", () => {
  test("--dry-run shows the bundle and sends nothing", async () => {
    await using root = await temporaryTree({ "dari.yml": manifest, "src/agent.ts": "x", ".env": "SECRET=1" });
    const options = { cwd: root.path, environment: { DARI_API_URL: "http://127.0.0.1:1" } };
    const { code, stdout } = await runDari(["deploy", "--dry-run", "--json"], options);
    expect(code).toBe(0);
    const shown = JSON.parse(stdout) as { bundle: { sha256: string } };
    expect(shown).toMatchObject({
      bundle: { file_count: 2, metadata: { origin: "local_cli" }, sha256: expect.stringMatching(/^[0-9a-f]{64}$/) },
      files: [
        { path: "dari.yml", size_bytes: manifest.length },
        { path: "src/agent.ts", size_bytes: 1 },
      ],
      manifest: { name: "demo", runtime: { language: "typescript" } },
    });
    const human = await runDari(["deploy", "--dry-run"], options);
    expect(human.stdout).toContain(`sha256 ${shown.bundle.sha256}`);
    expect(human.stdout).toContain("src/agent.ts");
  });

  test("publishes a new agent, then new versions of it, and shows the build", async () => {
    await using root = await temporaryTree({ "dari.yml": manifest, "src/agent.ts": "x" });
    const calls: string[] = [];
    const url = await serve((request, response) => void answer(request, response, calls, () => url, "ready"));
    const environment = { DARI_API_URL: `${url}/`, DARI_API_KEY: "dari_test" };
    const first = await runDari(["deploy", "--json"], { cwd: root.path, environment });
    expect(first).toMatchObject({ code: 0, stderr: expect.stringContaining("installing\nbuilt\n") });
    const shown = { agent_id: "agt_1", version_id: "ver_1", version_status: "ready" };
    // The platform created the agent before its first version was built.
    expect(JSON.parse(first.stdout)).toMatchObject({ ...shown, active_version_id: "ver_1", version: { active: true } });
    expect(Object.keys((JSON.parse(first.stdout) as { timings_ms: object }).timings_ms)).toEqual([
      "bundle",
      "total",
      "upload",
      "publish",
      "build",
    ]);
    const state: unknown = JSON.parse(await readFile(join(root.path, ".dari/deploy-state.json"), "utf8"));
    expect(state).toEqual({ version: 1, agents: { [url]: "agt_1" } });
    const second = await runDari(["deploy", "--force"], { cwd: root.path, environment });
    expect(second.stdout).toBe("Deployed demo as agt_1, version 1 (ver_1)\n");
    expect(second.stderr).toContain(`Console: ${url}/console/agents/agt_1\n`);
    expect(second.stderr).toMatch(/^\[ +\d+\.\d s\] installing\n\[ +\d+\.\d s\] built\n\[ +\d+\.\d s\] Ready after/m);
    const publishing = ["POST /v1/source-snapshots", "PUT /upload", "POST /v1/source-snapshots/src_1/finalize"];
    const building = ["GET /v1/versions/ver_1/build-logs?follow=1", "GET /v1/agents/agt_1/versions/ver_1"];
    expect(calls).toEqual([
      ...publishing,
      "POST /v1/agents",
      "GET /v1/me",
      ...building,
      ...publishing,
      "POST /v1/agents/agt_1/versions",
      "GET /v1/me",
      ...building,
    ]);
  });

  test("what has not changed is not published again, unless with --force", async () => {
    await using root = await temporaryTree({ "dari.yml": manifest, "src/agent.ts": "x" });
    const { url, bodies } = await serveRecorded((call) =>
      call === "POST /v1/agents/weather/versions" ? [200, { ...published, unchanged: true }] : undefined,
    );
    const environment = { DARI_API_URL: url, DARI_API_KEY: "dari_test" };
    const same = await runDari(["deploy", "--agent", "weather"], { cwd: root.path, environment });
    expect(same).toMatchObject({ code: 0, stdout: expect.stringContaining("Nothing has changed: demo as agt_1") });
    expect(bodies["POST /v1/agents/weather/versions"]).toMatchObject({ only_if_changed: true });
    expect(Object.keys(bodies)).toContain("DELETE /v1/source-snapshots/src_1");
    await runDari(["deploy", "--agent", "weather", "--force"], { cwd: root.path, environment });
    expect(bodies["POST /v1/agents/weather/versions"]).not.toHaveProperty("only_if_changed");
    expect(bodies["POST /v1/agents/weather/versions"]).not.toHaveProperty("activate");
  });

  test("publishes a version without making it active", async () => {
    await using root = await temporaryTree({ "dari.yml": manifest, "src/agent.ts": "x" });
    const { url, bodies } = await serveRecorded((call) =>
      call === "POST /v1/agents/weather/versions" ? [200, published] : undefined,
    );
    const environment = { DARI_API_URL: url, DARI_API_KEY: "dari_test" };
    const ran = await runDari(["deploy", "--agent", "weather", "--no-activate"], { cwd: root.path, environment });
    expect(ran).toMatchObject({ code: 0, stdout: expect.stringContaining("`dari agents activate` makes it active") });
    expect(bodies["POST /v1/agents/weather/versions"]).toMatchObject({ activate: false });
  });

  test("a name that another agent has is refused without a terminal, with what to do", async () => {
    await using root = await temporaryTree({ "dari.yml": manifest, "src/agent.ts": "x" });
    const taken = { detail: "agent agt_9 already has the name", code: "agent_name_taken", request_id: "r" };
    const { url, bodies } = await serveRecorded((call, body) =>
      call === "POST /v1/agents" && body["name"] !== "fresh" ? [409, taken] : undefined,
    );
    const options = { cwd: root.path, environment: { DARI_API_URL: url, DARI_API_KEY: "dari_test" } };
    const refused = await runDari(["deploy"], options);
    expect(refused).toMatchObject({ code: 5, stdout: "" });
    const why = `an agent with the name "demo" exists at ${url}, and this directory was not deployed as that agent`;
    expect(refused.stderr).toContain(`dari: ${why}; --agent <name> publishes`);
    expect(Object.keys(bodies)).toContain("DELETE /v1/source-snapshots/src_1");
    expect((await runDari(["deploy", "--new", "demo-2"], options)).code).toBe(5);
    expect((await runDari(["deploy", "--new", "a", "--agent", "b"], options)).code).toBe(2);
    expect((await runDari(["deploy", "--new", "fresh"], options)).code).toBe(0);
    expect(bodies["POST /v1/agents"]).toMatchObject({ name: "fresh", on_name_conflict: "refuse" });
  });

  test("a failed build is exit code 1, with its reason", async () => {
    await using root = await temporaryTree({ "dari.yml": manifest, "src/agent.ts": "x" });
    const url = await serve((request, response) => void answer(request, response, [], () => url, "failed"));
    const { code, stderr } = await runDari(["deploy", "--api-url", url, "--api-key", "k"], { cwd: root.path });
    expect(code).toBe(1);
    expect(stderr).toContain("the build of ver_1 failed: no such package (build_failed)");
  });
});

describe("the connection", () => {
  test("is found in the data directory of a platform that runs here, and its key goes nowhere else", async () => {
    const keys: (string | undefined)[] = [];
    const url = await serve((request, response) => {
      keys.push(request.headers.authorization);
      reply(response, 200, { data: [], next: null });
    });
    const connection = JSON.stringify({ api_url: url, api_key: "dari_local" });
    await using root = await temporaryTree({ ".dari-data/connection.json": connection, "named.json": connection });
    await runDari(["agents", "list"], { cwd: root.path });
    await runDari(["agents", "list", "--api-url", url.replace("127.0.0.1", "localhost")], { cwd: root.path });
    await runDari(["agents", "list", "--api-key", "dari_other", "--api-url", url], { cwd: root.path });
    await mkdir(join(root.path, "elsewhere"));
    const environment = { DARI_CONNECTION_FILE: join(root.path, "named.json") };
    await runDari(["agents", "list"], { cwd: join(root.path, "elsewhere"), environment });
    await runDari(["agents", "list", "--api-key", "dari_other"], { cwd: root.path });
    const data = { DARI_DATA_DIR: join(root.path, ".dari-data") };
    await runDari(["agents", "list"], { cwd: join(root.path, "elsewhere"), environment: data });
    const others = ["Bearer dari_other", "Bearer dari_local", "Bearer dari_other", "Bearer dari_local"];
    expect(keys).toEqual(["Bearer dari_local", undefined, ...others]);
  });

  test("env quotes any value for a shell", async () => {
    await using root = await temporaryTree({});
    const environment = { DARI_API_URL: "http://127.0.0.1:9/it's/", DARI_API_KEY: "dari_k" };
    const { stdout } = await runDari(["env"], { cwd: root.path, environment });
    const shell = execFileSync("sh", ["-c", `${stdout}printf '%s %s' "$DARI_API_URL" "$DARI_API_KEY"`], {
      encoding: "utf8",
    });
    expect(shell).toBe("http://127.0.0.1:9/it's dari_k");
    const none = await runDari(["env"], { cwd: root.path });
    expect(none).toMatchObject({ code: 3, stdout: "", stderr: expect.stringContaining("no API key for http") });
  });

  test("login saves it for its owner only", async () => {
    const url = await serve((_request, response) => reply(response, 200, { data: [{ name: "Ours" }] }));
    await using root = await temporaryTree({});
    const options = { cwd: root.path, environment: { DARI_CONFIG_DIR: join(root.path, "config") }, input: "dari_k\n" };
    const { code } = await runDari(["login", "--api-url", url, "--value-stdin"], options);
    const path = join(root.path, "config", "connection.json");
    expect(code).toBe(0);
    expect(JSON.parse(await readFile(path, "utf8"))).toEqual({ api_url: url, api_key: "dari_k" });
    expect((await stat(path)).mode & 0o777).toBe(0o600);
  });

  test("message retry shows the new message's id", async () => {
    const calls: string[] = [];
    const url = await serve((request, response) => {
      calls.push(`${request.method ?? ""} ${request.url ?? ""}`);
      reply(response, 202, { id: "msg_2", status: "queued", retry_of: "msg_1" });
    });
    await using root = await temporaryTree({});
    const environment = { DARI_API_URL: url, DARI_API_KEY: "dari_test" };
    const run = await runDari(["message", "retry", "msg_1"], { cwd: root.path, environment });
    expect(run).toMatchObject({ code: 0, stdout: "msg_2\n" });
    expect(calls).toEqual(["POST /v1/messages/msg_1/retry"]);
  });

  test.each([
    [401, "unauthenticated", 3],
    [403, "forbidden", 3],
    [404, "not_found", 4],
    [409, "conflict", 5],
    [422, "invalid", 2],
    [429, "limit_exceeded", 7],
    [500, "internal", 1],
  ])("a refusal with %i %s is exit code %i", async (status, code, exitCode) => {
    const url = await serve((_request, response) => reply(response, status, { detail: "no", code, request_id: "r1" }));
    await using root = await temporaryTree({});
    const run = await runDari(["session", "get", "sess_1", "--api-url", url, "--json"], { cwd: root.path });
    expect(run.code).toBe(exitCode);
    expect(JSON.parse(run.stderr)).toEqual({ detail: "no", code, request_id: "r1" });
  });
});

const published = {
  agent_id: "agt_1",
  deployment_id: "dep_1",
  active_version_id: null,
  version_id: "ver_1",
  version_status: "building",
};

/** Serves a platform to deploy to. `reply` can replace its replies; `bodies` has the last body of each call. */
async function serveRecorded(
  special: (call: string, body: Readonly<Record<string, unknown>>) => [number, unknown] | undefined,
): Promise<{ url: string; bodies: Record<string, unknown> }> {
  const bodies: Record<string, unknown> = {};
  const url = await serve((request, response) => {
    void (async () => {
      const call = `${request.method ?? ""} ${request.url ?? ""}`;
      if (request.headers["content-type"] !== "application/json") {
        bodies[call] = undefined;
        return answer(request, response, [], () => url, "ready");
      }
      const body = JSON.parse((await buffer(request)).toString() || "{}") as Record<string, unknown>;
      bodies[call] = body;
      const replaced = special(call, body);
      if (replaced !== undefined) return reply(response, ...replaced);
      return answer(request, response, [], () => url, "ready");
    })();
  });
  return { url, bodies };
}

/** Enough of a platform to deploy to. */
async function answer(
  request: Parameters<RequestListener>[0],
  response: ServerResponse,
  calls: string[],
  url: () => string,
  status: "ready" | "failed",
): Promise<void> {
  const body = await buffer(request);
  const call = `${request.method ?? ""} ${request.url ?? ""}`;
  calls.push(call);
  const failure = status === "failed" ? { code: "build_failed", message: "no such package" } : null;
  switch (call) {
    case "POST /v1/source-snapshots":
      reply(response, 201, { source_snapshot_id: "src_1", upload_url: `${url()}/upload`, upload_headers: {} });
      return;
    case "PUT /upload":
      reply(response, body.subarray(0, 2).toString("hex") === "1f8b" ? 200 : 422, {});
      return;
    case "POST /v1/source-snapshots/src_1/finalize":
      reply(response, 200, { source_snapshot_id: "src_1", status: "ready", failure_reason: null });
      return;
    case "GET /v1/versions/ver_1/build-logs?follow=1":
      response.writeHead(200, { "content-type": "text/plain" }).end("installing\nbuilt\n");
      return;
    case "GET /v1/agents/agt_1/versions/ver_1":
      reply(response, 200, { id: "ver_1", number: 1, status, active: status === "ready", failure, warnings: [] });
      return;
    default:
      reply(response, 201, published);
  }
}
