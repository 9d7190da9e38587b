// Starts that are ended at any moment, by every means of a user or a supervisor, leave nothing behind.

import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { beforeAll, expect, test } from "@jest/globals";
import { createClient } from "@dari/client";
import { manifestFile } from "../src/conversation.ts";
import { deployFiles } from "../src/deploy-files.ts";
import { openRendezvous, rendezvousEndpoint, type Rendezvous } from "../src/rendezvous.ts";
import { checkout } from "../src/program.ts";
import { startStandalone } from "../src/standalone-process.ts";
import { buildConsole, startAsUser, type UserStart } from "../src/user-start.ts";
import { atNight, isNightly, waitUntil } from "@dari/testkit";

// Otherwise, each start builds it in the background.
beforeAll(buildConsole, 120_000);

const ready = /Press Ctrl-C to stop/;

type End = (start: UserStart) => void;
const kill: End = (start) => start.signal("npm", "SIGTERM");
const timeOut: End = (start) => start.signal("group", "SIGTERM");
const pressCtrlC: End = (start) => start.signal("group", "SIGINT");
const closeTerminal: End = (start) => start.signal("group", "SIGHUP");
const closePipe: End = (start) => start.closeOutput();

/** Services may end a moment after a platform that could not wait for them. */
async function leavesNothing(start: UserStart): Promise<void> {
  await start.ended();
  await waitUntil(() => start.left().length === 0, { what: "nothing to be left", timeoutMs: 5_000 }).catch(() => {});
  expect(start.left()).toEqual([]);
}

const moments = [
  ["Ctrl-C while PostgreSQL starts", /starting PostgreSQL/, pressCtrlC],
  ["`timeout` while the database is opened", /opening the database/, timeOut],
  ["a closed terminal while the worker starts", /starting the worker/, closeTerminal],
  ["kill of npm after its output is closed", ready, (start) => [closePipe, kill].forEach((each) => each(start))],
] satisfies [string, RegExp, End][];

test.each(isNightly() ? moments : moments.slice(0, 1))(
  "npm start leaves nothing behind: %s",
  async (_name, moment, end) => {
    await using start = startAsUser(["start"]);
    await start.says(moment);
    end(start);
    await leavesNothing(start);
    expect(start.output).not.toMatch(/\n\s+at .*:\d+:\d+/);
  },
  120_000,
);

atNight(test)(
  "npm run quickstart leaves nothing behind if its output is closed while it deploys",
  async () => {
    await using start = startAsUser(["run", "quickstart"]);
    await start.says(/1\/6 {2}Deploy the agent/);
    closePipe(start);
    await leavesNothing(start);
    expect(start.output).not.toMatch(/\n\s+at .*:\d+:\d+/);
  },
  120_000,
);

test("npm start prints on a terminal a link that signs one browser in", async () => {
  await using shown = startAsUser(["start"], {}, "terminal");
  await shown.says(ready);
  const { apiUrl } = await connectionOf(shown);
  const [, link = ""] = /sign in +(\S+) \(once, within ten minutes\)/.exec(shown.output) ?? [];
  expect(link).toMatch(new RegExp(`^${apiUrl}/console/join#[\\w-]{40,}$`));
  const open = () =>
    fetch(`${apiUrl}/v1/auth/link`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ token: link.split("#")[1] }),
    });
  const opened = await open();
  const cookie = String(opened.headers.get("set-cookie")?.split(";")[0]);
  const me = await fetch(`${apiUrl}/v1/me`, { headers: { cookie } });
  expect([opened.status, me.status]).toEqual([200, 200]);
  expect((await me.json()) as object).toMatchObject({ member: null, scopes: expect.arrayContaining(["admin"]) });
  expect((await open()).status).toBe(404);
  shown.signal("platform", "SIGTERM");
  await leavesNothing(shown);
}, 120_000);

test("npm start prints no link to a pipe; quickstart uses it, replaces no credential, and is brief", async () => {
  await using platform = startAsUser(["start"]);
  await platform.says(ready);
  expect(platform.isBelowNpm).toBe(true);
  expect(platform.output).toContain("sign in     with the link that `dari console` prints");
  expect(platform.output).not.toContain("#");
  const client = createClient(await connectionOf(platform));
  await client.putCredential("QUICKSTART_API_TOKEN", { value: "mine" });
  const before = (await client.listCredentials()).data;
  await using quickstart = startAsUser(["run", "quickstart"], { DARI_DATA_DIR: platform.dataDir });
  await quickstart.ended(200_000);
  const lines = quickstart.output.trimEnd().split("\n");
  expect(lines.at(-1)).toMatch(/^ {2}http:\/\/\S+\/console\/sessions\/sess_\w+$/);
  expect(quickstart.output).toContain("TypeScript 6/6  See which files the message changed: created /output/reply.md");
  expect(quickstart.output).not.toContain("{");
  expect(lines.length).toBeLessThan(45);
  const after = (await client.listCredentials()).data;
  expect(after.find(({ name }) => name === "QUICKSTART_API_TOKEN")).toEqual(before[0]);
  expect(after.map(({ name }) => name).sort()).toEqual(["QUICKSTART_API_TOKEN", "QUICKSTART_MODEL_KEY"]);
  // The first deploy downloads the Node that the manifest asks for.
}, 300_000);

const turns = 4;

/** Starts a platform with so many running turns, each of which calls "beat" ten times a second for five seconds. */
async function startBusy(meeting: Rendezvous): Promise<UserStart> {
  await using starting = new AsyncDisposableStack();
  const start = starting.use(startAsUser(["start"], { DARI_EGRESS_ALLOW: rendezvousEndpoint }));
  await start.says(ready);
  const api = await connectionOf(start);
  const { agentId } = await deployFiles(api, {
    ...manifestFile({ entrypoint: "agent.mjs:agent" }),
    "agent.mjs": await readFile(path.join(import.meta.dirname, "agents/beats/agent.mjs"), "utf8"),
  });
  const client = createClient(api);
  for (let sent = 0; sent < turns; sent++) {
    const { id } = await client.createSession(agentId);
    await client.sendMessageAsync(id, { parts: [{ type: "text", text: meeting.urlOf("beat") }] });
  }
  meeting.open("beat");
  await meeting.arrived("beat", 2 * turns);
  starting.move();
  return start;
}

async function connectionOf({ dataDir }: UserStart): Promise<{ apiUrl: string; apiKey: string }> {
  const text = await readFile(path.join(dataDir, "connection.json"), "utf8");
  const { api_url: apiUrl, api_key: apiKey } = JSON.parse(text) as { api_url: string; api_key: string };
  return { apiUrl, apiKey };
}

/** The outcomes of the attempts, from the platform's log. */
async function outcomesOf(start: UserStart): Promise<string[]> {
  const log = await readFile(path.join(start.dataDir, "logs", "dari.log"), "utf8");
  const lines = log.split("\n").filter((line) => line.includes(`"turn.finished"`));
  return lines.map((line) => (JSON.parse(line) as { ending: string }).ending);
}

const ends: [string, End][] = [
  ["Ctrl-C", pressCtrlC],
  ["kill of npm, forwarded twice", (start) => [timeOut, kill].forEach((end) => end(start))],
];

test.each(isNightly() ? ends : ends.slice(0, 1))(
  "%s lets running turns end",
  async (_name, end) => {
    await using meeting = await openRendezvous();
    await using start = await startBusy(meeting);
    end(start);
    await leavesNothing(start);
    expect(await outcomesOf(start)).toEqual(Array(turns).fill("completed"));
  },
  120_000,
);

atNight(test)(
  "a second Ctrl-C stops immediately, releases the turns and leaves nothing behind",
  async () => {
    await using meeting = await openRendezvous();
    await using start = await startBusy(meeting);
    pressCtrlC(start);
    // Late enough that a repeated first signal would have arrived.
    await meeting.arrived("beat", meeting.arrivals("beat") + 15 * turns);
    pressCtrlC(start);
    await leavesNothing(start);
    expect(await outcomesOf(start)).toEqual(Array(turns).fill("released"));
  },
  120_000,
);

atNight(test)(
  "an agent that is not isolated is read without the package.json above the data directory",
  async () => {
    const dir = await mkdtemp(path.join(tmpdir(), "dari-above-"));
    try {
      await writeFile(path.join(dir, "package.json"), `{"type": "module"}`);
      const dataDir = path.join(dir, "data");
      await mkdir(dataDir);
      await using platform = await startStandalone({ DARI_SANDBOX: "process" }, dataDir);
      const { agentId } = await deployFiles(platform, {
        ...manifestFile({ entrypoint: "agent.js:agent" }),
        "agent.js": `exports.agent = () => "as CommonJS";`,
      });
      const client = createClient(platform);
      const { id } = await client.createSession(agentId);
      const { output } = await client.sendMessage(id, { parts: [{ type: "text", text: "go" }] });
      expect(output?.parts).toEqual([{ type: "text", text: "as CommonJS" }]);
    } finally {
      await rm(dir, { recursive: true, force: true });
    }
  },
  120_000,
);

test("a runtime that was named is required: without it nothing starts", async () => {
  await using start = startAsUser(["start"], { DARI_SANDBOX: "oci", DARI_OCI_RUNTIME: "no-such-runtime" });
  await start.ended();
  expect(start.output).toContain("DARI_SANDBOX=oci: the required sandbox driver cannot be used (oci: ");
  expect(start.output).toContain("set DARI_SANDBOX=auto to use a driver that works on this machine");
  await leavesNothing(start);
}, 120_000);

const asRoot = process.getuid?.() === 0 ? atNight(test) : test.skip;

asRoot(
  "without bubblewrap on the machine, set-up brings one, and agents are isolated",
  async () => {
    await rm(path.join(checkout, ".cache", "bubblewrap"), { recursive: true, force: true });
    await using start = startAsUser(["start"], {}, "bubblewrap");
    await start.says(ready);
    expect(start.output).toContain("✓ Fetching bubblewrap");
    expect(start.output).toContain("agents run  bwrap, isolated");
    const api = await connectionOf(start);
    const { agentId } = await deployFiles(api, {
      ...manifestFile({ entrypoint: "agent.mjs:agent" }),
      "agent.mjs": `export const agent = () => process.cwd();`,
    });
    const client = createClient(api);
    const { id } = await client.createSession(agentId);
    const { output } = await client.sendMessage(id, { parts: [{ type: "text", text: "go" }] });
    expect(output?.parts).toEqual([{ type: "text", text: "/workspace" }]);
    await using again = startAsUser(["start"], {}, "bubblewrap");
    await again.says(ready);
    expect(again.output).not.toContain("Fetching bubblewrap");
  },
  240_000,
);

asRoot(
  "if bubblewrap cannot be fetched, setup says so and continues",
  async () => {
    const cached = path.join(checkout, ".cache", "bubblewrap");
    await rm(cached, { recursive: true, force: true });
    await using start = startAsUser(["start"], { npm_config_registry: "http://127.0.0.1:9/" }, "bubblewrap");
    await start.says(/starting PostgreSQL/);
    expect(start.output).toContain("Going on without it: install the package bubblewrap");
    expect(start.output).toContain("The package registry could not be reached");
    kill(start);
    await leavesNothing(start);
  },
  240_000,
);

asRoot(
  "several organizations need control groups, or DARI_MINIMUM_ISOLATION=watched",
  async () => {
    await using first = startAsUser(["start"]);
    await first.says(ready);
    await createClient(await connectionOf(first)).createOrganization({ name: "Another" });
    kill(first);
    await first.ended();
    const strict = { DARI_DATA_DIR: first.dataDir, DARI_MINIMUM_ISOLATION: "isolated" };
    await using refused = startAsUser(["start"], strict, "control groups");
    await refused.ended();
    expect(refused.output).toContain("there is more than one organization, and this machine allows no control groups");
    expect(refused.output).toContain("set DARI_MINIMUM_ISOLATION=watched");
    const told = { ...strict, DARI_MINIMUM_ISOLATION: "watched" };
    await using accepted = startAsUser(["start"], told, "control groups");
    await accepted.says(ready);
    expect(accepted.output).toContain("without control groups: memory and processes of a turn are only checked");
    kill(accepted);
    await accepted.ended();
  },
  240_000,
);
