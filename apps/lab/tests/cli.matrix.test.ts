// The `dari` command against a running platform: every command, its output and its exit codes.

import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { waitUntil } from "@dari/testkit";
import { machineEnvironment } from "../src/config.ts";
import { manifestFile } from "../src/conversation.ts";
import { dari, dariCommand, run, runDari, type ProgramOutput } from "../src/curl.ts";
import { deployFiles } from "../src/deploy-files.ts";
import { checkout } from "../src/program.ts";
import { openRendezvous, type Rendezvous } from "../src/rendezvous.ts";
import { startStandalone, type StandaloneProcess } from "../src/standalone-process.ts";

/**
 * For a prompt that is an address: sends half of its answer, calls the address, and sends the rest. Echoes other
 * prompts.
 */
const talker = {
  ...manifestFile({ entrypoint: "agent.mjs:agent" }),
  "agent.mjs": `import { writeFileSync } from "node:fs";
    export async function* agent(prompt) {
      console.log("printed", prompt);
      writeFileSync("said.txt", prompt);
      if (prompt === "fail") throw new Error("as asked");
      yield "first ";
      if (prompt.startsWith("http")) await (await fetch(prompt)).text();
      yield "second";
    }`,
};

/** Each test starts many processes, one after the other. Milliseconds. */
const patience = 240_000;

const dir = mkdtempSync(join(tmpdir(), "dari-cli-"));
let platform: StandaloneProcess;
let agentId: string;

beforeAll(async () => {
  platform = await startStandalone();
  agentId = (await deployFiles(platform, talker)).agentId;
}, 180_000);

afterAll(async () => {
  await platform?.[Symbol.asyncDispose]();
  rmSync(dir, { recursive: true, force: true });
}, 120_000);

const options = (key = platform.apiKey) => ({ apiUrl: platform.apiUrl, apiKey: key, cwd: dir });
const cli = (...args: readonly string[]): Promise<string> => dari(args, options());
const json = async <Reply>(...args: readonly string[]): Promise<Reply> =>
  JSON.parse(await cli(...args, "--json")) as Reply;
const ending = (...args: readonly string[]): Promise<ProgramOutput> => runDari(args, options());

interface Named {
  readonly id: string;
}

test(
  "init, validate, deploy: results on stdout, progress on stderr",
  async () => {
    await cli("init", "greeter");
    expect(await json("manifest", "validate", "greeter")).toMatchObject({ valid: true });
    const { code, stdout, stderr } = await ending("deploy", "greeter", "--json");
    const deployed = JSON.parse(stdout) as Record<string, string>;
    expect([code, deployed["version_status"]]).toEqual([0, "ready"]);
    expect(stderr).toMatch(/Bundle: 6 files[\s\S]*building version[\s\S]*Ready after/);
    const agent = deployed["agent_id"] ?? "";
    expect(await json("agents", "get", agent)).toMatchObject({ id: agent, active_version_id: deployed["version_id"] });
    expect(await cli("agents", "build-logs", deployed["version_id"] ?? "", "--follow")).not.toBe("");
    const again = JSON.parse(await cli("deploy", "greeter", "--json")) as Record<string, string>;
    expect(again).toMatchObject({ agent_id: agent, version_id: deployed["version_id"], unchanged: true });
    const forced = JSON.parse(await cli("deploy", "greeter", "--force", "--json")) as Record<string, string>;
    expect(forced["agent_id"]).toBe(agent);
    expect(await json<Named[]>("agents", "versions", agent)).toHaveLength(2);
    expect(await cli("agents", "activate", agent, deployed["version_id"] ?? "")).toContain("now runs");
    expect(await cli("agents", "delete", agent)).toBe(`deleted ${agent}\n`);
    expect((await ending("session", "create", agent)).code).toBe(4);
  },
  patience,
);

test(
  "the example workflow checks an agent and publishes it",
  async () => {
    const workspace = join(dir, "workspace");
    await cli("init", "workspace/agent");
    const made = JSON.parse(await cli("deploy", "workspace/agent", "--json")) as Record<string, string>;
    rmSync(join(workspace, "agent/.dari"), { recursive: true });
    // A directory without changes publishes nothing.
    writeFileSync(join(workspace, "agent", "CHANGES.md"), "one\n");
    // Stands for the installed command, which packages.matrix.test.ts tests.
    const program = `#!/bin/sh\nexec "${process.execPath}" "${dariCommand[1]}" "$@"\n`;
    writeFileSync(join(workspace, "dari"), program, { mode: 0o755 });
    const summary = join(workspace, "summary.md");
    const env = {
      PATH: `${workspace}:${machineEnvironment()["PATH"]}`,
      CI: "true",
      GITHUB_ACTIONS: "true",
      GITHUB_RUN_ID: "42",
      RUNNER_TEMP: workspace,
      GITHUB_STEP_SUMMARY: summary,
      DARI_API_URL: platform.apiUrl,
      DARI_API_KEY: platform.apiKey,
      DARI_AGENT: made["agent_id"] ?? "",
    };
    const workflow = readFileSync(join(checkout, "examples/ci/github-actions.yml"), "utf8");
    const steps = [...workflow.matchAll(/ {8}run: \|\n((?: {10}.*\n)+)/g)].map(([, text = ""]) => text);
    expect(steps).toHaveLength(2);
    for (const step of steps) {
      const { code, stderr } = await run("bash", ["-euo", "pipefail", "-c", step], {
        cwd: join(workspace, "agent"),
        env,
      });
      expect({ code, stderr: code === 0 ? "" : stderr }).toEqual({ code: 0, stderr: "" });
    }
    const [newest] = await json<Named[]>("agents", "versions", made["agent_id"] ?? "");
    expect(newest).toMatchObject({ number: 2, status: "ready", active: true });
    expect(readFileSync(summary, "utf8")).toBe(`Published version ${newest?.id}\n`);
  },
  patience,
);

test(
  "a session from its first message to its deletion",
  async () => {
    const session = (await cli("session", "create", agentId, "--name", "talk", "--metadata", "team=red")).trim();
    expect(await json("session", "list", "--metadata", "team=red")).toMatchObject([{ id: session, name: "talk" }]);
    writeFileSync(join(dir, "note.txt"), "a note");
    const sent = await json<Named>("session", "send", session, "hello", "--file", "note.txt");
    expect(sent).toMatchObject({ status: "completed", output: { parts: [{ type: "text", text: "first second" }] } });
    expect(await cli("session", "messages", session)).toMatch(new RegExp(`${sent.id} +completed .*hello`));
    expect(await cli("session", "transcript", session)).toMatch(/> hello .*\n[\s\S]*first second/);
    expect(await cli("session", "files", session, "/said.txt", "--output", "-")).toBe("hello");
    expect(await json("session", "files", session)).toMatchObject({ path: "/" });
    expect(await json<Named[]>("session", "events", session)).toEqual(
      expect.arrayContaining([expect.objectContaining({ type: "message.completed", message_id: sent.id })]),
    );
    expect(await cli("message", "diff", sent.id)).toContain("+hello");
    expect(await cli("logs", sent.id)).toContain("printed hello");
    expect(await cli("logs", agentId)).toBe(await cli("logs", session));
    expect(await cli("logs", session, "--timestamps")).toMatch(/^20\d\d-.*Z \[stdout\] printed hello$/m);
    const fork = (await cli("session", "fork", session, "--message", sent.id)).trim();
    expect(await cli("session", "complete", fork)).toBe(`${fork} completed\n`);
    expect((await ending("session", "send", fork, "more")).code).toBe(5);
    expect(await cli("session", "delete", session)).toBe(`deleted ${session}\n`);
    expect((await ending("session", "get", session)).code).toBe(4);
  },
  patience,
);

test(
  "a failed message is exit code 1 with its reason, and is sent again",
  async () => {
    const session = (await cli("session", "create", agentId)).trim();
    const { code, stderr } = await ending("session", "send", session, "fail");
    expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringContaining("as asked (agent_error)") });
    const [failed] = await json<Named[]>("session", "messages", session);
    const retried = await json<Named>("message", "retry", failed?.id ?? "");
    expect(retried).toMatchObject({ retry_of: failed?.id });
    expect(await cli("message", "logs", failed?.id ?? "")).toContain("printed fail");
  },
  patience,
);

test(
  "the answer is shown while the turn runs, and Ctrl-C ends the watching with 130, not the turn",
  async () => {
    await using meeting: Rendezvous = await openRendezvous();
    const session = (await cli("session", "create", agentId)).trim();
    const args = [...dariCommand, "session", "send", session, meeting.urlOf("half"), "--stream"];
    const env = { ...machineEnvironment(), DARI_API_URL: platform.apiUrl, DARI_API_KEY: platform.apiKey };
    const child = spawn(process.execPath, args, { cwd: dir, env, stdio: ["ignore", "pipe", "pipe"] });
    let shown = "";
    child.stdout.on("data", (piece: Buffer) => (shown += piece.toString("utf8")));
    const ended = new Promise<number | null>((resolve) => child.once("close", resolve));
    await meeting.arrived("half");
    await waitUntil(() => shown === "first ", { what: "the first half of the answer" });
    child.kill("SIGINT");
    expect(await ended).toBe(130);
    meeting.open("half");
    const [message] = await json<Named[]>("session", "messages", session);
    await waitUntil(
      async () => (await json<{ status: string }>("message", "get", message?.id ?? "")).status === "completed",
      {
        what: "the turn's own end",
      },
    );
  },
  patience,
);

test(
  "files are uploaded, shown, saved and deleted",
  async () => {
    writeFileSync(join(dir, "data.bin"), Buffer.from([0, 1, 2, 255]));
    const [file] = await json<Named[]>("files", "upload", "data.bin");
    const id = file?.id ?? "";
    expect(await json("files", "get", id)).toMatchObject({ id, filename: "data.bin", size_bytes: 4 });
    await cli("files", "get", id, "--output", "copy.bin");
    expect(readFileSync(join(dir, "copy.bin"))).toEqual(Buffer.from([0, 1, 2, 255]));
    expect(await cli("files", "list")).toContain(id);
    expect(await cli("files", "delete", id)).toBe(`deleted ${id}\n`);
    expect((await ending("files", "get", id)).code).toBe(4);
  },
  patience,
);

test(
  "organizations, people, keys and credentials",
  async () => {
    const made = await json<Named & { api_key: string }>("org", "create", "Second");
    expect(await runDari(["org", "list"], options(made.api_key))).toMatchObject({
      code: 0,
      stdout: expect.stringContaining(made.id),
    });
    expect(await cli("org", "invite", "ada@example.com", "--role", "admin")).toContain("/console/join#dinv_");
    expect((await ending("org", "members")).code).toBe(0);
    expect(await json("org", "limits", "get")).toMatchObject({ id: expect.stringMatching(/^org_/) });
    expect(await json("org", "audit-log")).toEqual(expect.arrayContaining([expect.anything()]));
    const key = await json<Named & { api_key: string }>("api-keys", "create", "reader", "--scope", "read");
    expect((await runDari(["agents", "list"], options(key.api_key))).code).toBe(0);
    expect((await runDari(["session", "create", agentId], options(key.api_key))).code).toBe(3);
    await cli("api-keys", "revoke", key.id);
    expect((await runDari(["agents", "list"], options(key.api_key))).code).toBe(3);
    await dari(["credentials", "add", "TOKEN", "--value-stdin"], { ...options(), input: "secret value" });
    expect(await cli("credentials", "list")).toMatch(/TOKEN/);
    expect(await cli("credentials", "remove", "TOKEN")).toBe("removed TOKEN\n");
    expect(await cli("org", "delete", made.id)).toBe(`deleted ${made.id}\n`);
    expect((await ending("doctor")).code).toBe(0);
  },
  patience,
);

test(
  "refusals are JSON for machines, on stderr",
  async () => {
    const { code, stdout, stderr } = await ending("agents", "get", "sess_1", "--json");
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(JSON.parse(stderr)).toMatchObject({ code: "invalid", errors: [{ path: "agent_id" }] });
  },
  patience,
);
