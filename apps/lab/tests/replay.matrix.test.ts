// Replays through the real proxy, with a model server that counts: unchanged code asks no model, and `dari release
// check` finds the turns that a version changes.

import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import type { ReplayReport } from "@dari/contract";
import { createBwrapDriver } from "@dari/sandbox";
import { findService } from "@dari/testkit";
import { tmpdir } from "node:os";
import { deploy, send, textOf } from "../src/conversation.ts";
import { runDari, type ProgramOutput } from "../src/curl.ts";
import { manifestFile } from "../src/conversation.ts";
import { noRemains, startFleet, type Fleet } from "../src/fleet.ts";
import { counting, type CountingModel } from "../src/counting-model.ts";

const isIsolated = (await createBwrapDriver().probe()).ok;
const isolated = isIsolated ? describe : describe.skip;

/** Turns that are recorded, one session each, and the requests of each. */
const turnsRecorded = 20;
const requestsOfTurn = 2;
const slots = 8;

let model: CountingModel;
let fleet: Fleet;
let agentId: string;
let versionId: string;
/** The ids of the recorded messages. */
let recorded: string[];
let sessions: string[];

/** Asks the model twice, and writes what it got. `extra`: code that can change the conversation. */
const agent = (extra = ""): string => `
import { appendFileSync } from "node:fs";
const headers = { authorization: \`Bearer \${process.env.OPENAI_API_KEY}\`, "content-type": "application/json" };
const url = "https://${model.openai}/v1/chat/completions";
export async function agent(prompt, context) {
  const messages = [{ role: "user", content: prompt }];
  ${extra}
  let said = "";
  for (let number = 1; number <= ${requestsOfTurn}; number++) {
    const response = await fetch(url, { method: "POST", headers, body: JSON.stringify({ model: "m", messages }) });
    if (!response.ok) throw new Error(await response.text());
    const { content } = (await response.json()).choices[0].message;
    messages.push({ role: "assistant", content });
    said += content + "\\n";
  }
  appendFileSync("said.txt", said);
  return said;
}`;

const files = (extra?: string) => ({
  ...manifestFile({
    ...{ name: "replayed", sdk: "function", entrypoint: "agent.mjs:agent", secrets: ["OPENAI_API_KEY"] },
    retries: { record_answers: { keep_days: 1 } },
  }),
  "agent.mjs": agent(extra),
});

const cli = (...args: readonly string[]): Promise<ProgramOutput> =>
  runDari(args, { apiUrl: fleet.apiUrl, apiKey: fleet.apiKey, cwd: tmpdir() });

async function version(extra: string): Promise<string> {
  return (await deploy(fleet, files(extra), agentId)).version.id;
}

/** Counts the sessions of replays. */
async function countForks(): Promise<number> {
  const sql = "select count(*)::int as n from sessions where metadata ? 'replay_of' and deleted_at is null";
  return (await fleet.db.pool.query<{ n: number }>(sql)).rows[0]?.n ?? -1;
}

interface Checked {
  readonly replayed: number;
  readonly same: number;
  readonly changed: number;
  readonly skipped: number;
  readonly turns: readonly { readonly message_id: string; readonly report: ReplayReport }[];
}

const check = async (to: string, ...more: readonly string[]) => {
  const last = ["--last", String(turnsRecorded)];
  const { code, stdout, stderr } = await cli(
    "release",
    "check",
    agentId,
    "--version-id",
    to,
    ...last,
    "--json",
    ...more,
  );
  return { code, stderr, result: JSON.parse(stdout) as Checked };
};
const changedIn = ({ turns }: Checked) =>
  turns.flatMap(({ message_id, report }) => (report.is_same ? [] : [message_id]));

isolated("replays", () => {
  beforeAll(async () => {
    model = await counting();
    fleet = await startFleet({
      redisUrl: findService("redis")?.url,
      env: { ...model.env, DARI_SANDBOX: "bwrap", DARI_WORKER_SLOTS: String(slots) },
    });
    await fleet.client.putCredential("OPENAI_API_KEY", { value: "sk-1234567890", hosts: [model.openai] });
    const deployed = await deploy(fleet, files());
    agentId = deployed.agentId;
    versionId = deployed.version.id;
    const sent = Array.from({ length: turnsRecorded }, async (_, at) => {
      const { id } = await fleet.client.createSession(agentId);
      const record = await send(fleet, id, `turn-${at}`);
      textOf(record);
      return record;
    });
    const records = await Promise.all(sent);
    recorded = records.map(({ id }) => id);
    sessions = records.map(({ session_id }) => session_id);
    expect(model.total()).toBe(turnsRecorded * requestsOfTurn);
  }, 240_000);
  afterAll(async () => {
    expect(await fleet.close()).toEqual(noRemains);
    await model[Symbol.asyncDispose]();
  }, 120_000);

  test("unchanged code asks no model, and gives the same answer and files", async () => {
    const before = model.total();
    const { code, stdout } = await cli("message", "replay", recorded[0]!, "--no-live", "--json");
    expect([code, JSON.parse(stdout)]).toEqual([
      0,
      expect.objectContaining({
        ...{ is_same: true, status: "completed", files_changed: [], cost_microusd: 0 },
        requests: { original: requestsOfTurn, recorded: requestsOfTurn, live: 0, first_live: null },
      }),
    ]);
    const same = await version("// A comment changes nothing.");
    const checked = await check(same, "--no-live");
    expect([checked.code, checked.result.same, checked.result.replayed]).toEqual([0, turnsRecorded, turnsRecorded]);
    expect([model.total(), await countForks()]).toEqual([before, 0]);
  }, 240_000);

  test("a planted regression is found, and only its turn asks the model", async () => {
    const bad = await version(`if (prompt === "turn-13") messages.unshift({ role: "system", content: "be brief" });`);
    const before = model.total();
    const { code, stderr, result } = await check(bad);
    expect([code, changedIn(result)]).toEqual([1, [recorded[13]]]);
    expect(stderr).toContain("1 turns changed; at most 0 may change");
    expect(result.turns.find(({ message_id }) => message_id === recorded[13])?.report).toMatchObject({
      ...{ is_answer_changed: true, are_requests_changed: true, status: "completed" },
      requests: { original: requestsOfTurn, recorded: 0, live: requestsOfTurn, first_live: 1 },
      files_changed: [{ path: "/said.txt", change: "modified" }],
    });
    expect(model.total()).toBe(before + requestsOfTurn);
    expect((await check(bad, "--max-changed", "1", "--no-live")).code).toBe(0);
    expect([model.total(), await countForks()]).toEqual([before + requestsOfTurn, 0]);
  }, 240_000);

  test("a version that changes its second request goes to the model there, and says so", async () => {
    const late = await version(`context.signal; messages.toJSON = function () {
      return this.length === 1 ? [...this] : [...this, { role: "user", content: "more" }];
    };`);
    const before = model.total();
    const { code, stdout } = await cli("message", "replay", recorded[2]!, "--version-id", late, "--keep", "--json");
    const report = JSON.parse(stdout) as ReplayReport;
    expect([code, report.requests]).toEqual([1, { original: 2, recorded: 1, live: 1, first_live: 2 }]);
    expect(model.total()).toBe(before + 1);
    const logs = await fleet.client.getMessageLogs(report.message_id);
    expect(logs).toContain("no answer is recorded for request 2 of this replay; 1 recorded ones are not used yet");
    expect(logs).toContain(`this was a replay of ${recorded[2]}: it made 2 requests to models, and 1 of 2`);
    expect(await countForks()).toBe(1);

    const refused = await cli("message", "replay", recorded[2]!, "--version-id", late, "--no-live");
    expect([refused.code, refused.stdout]).toEqual([1, expect.stringContaining("replay_diverged: no recorded answer")]);
    expect(model.total()).toBe(before + 1);
  }, 240_000);

  test("a later message is replayed with the files and the conversation from before it", async () => {
    const session = sessions[3]!;
    const second = await send(fleet, session, "second");
    await send(fleet, session, "third");
    const before = model.total();
    const { code, stdout } = await cli("message", "replay", second.id, "--keep");
    expect([code, stdout]).toEqual([0, expect.stringContaining("same")]);
    expect(model.total()).toBe(before);
    const { data } = await fleet.client.listSessions({ "metadata.replay_of": second.id } as object);
    const content = await fleet.client.getSessionFileContent(data[0]!.id, { path: "/said.txt" });
    const said = await new Response(content as never).text();
    expect(said).toBe(textOf(await fleet.client.getMessage(recorded[3]!)) + textOf(second));
  }, 120_000);

  test("answers whose objects are gone are asked again, or end a replay that may not", async () => {
    await fleet.db.pool.query("update recorded_answers set object_key = object_key || '-gone' where message_id = $1", [
      recorded[4],
    ]);
    const before = model.total();
    const dry = await cli("message", "replay", recorded[4]!, "--no-live");
    expect([dry.code, dry.stdout, model.total()]).toEqual([1, expect.stringContaining("replay_diverged"), before]);
    const live = await cli("message", "replay", recorded[4]!, "--json");
    expect((JSON.parse(live.stdout) as ReplayReport).requests).toMatchObject({ recorded: 0, live: 2 });
    expect(model.total()).toBe(before + requestsOfTurn);
    // The row of a foreign message does not open as an answer of this one.
    await fleet.db.pool.query(
      `update recorded_answers a set object_key = b.object_key, size_bytes = b.size_bytes from recorded_answers b
        where a.message_id = $1 and b.message_id = $2 and a.ordinal = b.ordinal`,
      [recorded[4], recorded[5]],
    );
    expect((await cli("message", "replay", recorded[4]!, "--no-live")).code).toBe(1);
    expect((await cli("message", "replay", recorded[5]!, "--no-live", "--version-id", versionId)).code).toBe(0);
    expect(model.total()).toBe(before + requestsOfTurn);
  }, 120_000);
});
