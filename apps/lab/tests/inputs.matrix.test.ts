// Agents that ask for input in the middle of a turn. A waiting turn uses no worker, survives the death of any process,
// and continues with the answer. Tested with and without Redis.

import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import type { MessageRecord } from "@dari/contract";
import { findService, isNightly, waitUntil } from "@dari/testkit";
import { join } from "node:path";
import { deploy, ended, filesOf, post, textOf, textPart, uploadText } from "../src/conversation.ts";
import { dari, runDari } from "../src/curl.ts";
import { noRemains, startFleet, type Fleet } from "../src/fleet.ts";
import { checkout } from "../src/program.ts";
import { openRendezvous, type Rendezvous } from "../src/rendezvous.ts";
import { playScript, resultsOf, scriptAgent, start, type Step } from "../src/script.ts";

const redisUrl = findService("redis")?.url;
const approve: Step = ["ask", "approve", { type: "boolean" }, { prompt: "Pay 20 EUR?" }];

const deliveries: [string, string | undefined][] = [
  ["the queue", redisUrl],
  ["direct pull", undefined],
];

describe.each(isNightly() ? deliveries : deliveries.slice(0, 1))("over %s", (_title, url) => {
  let fleet: Fleet;
  let meeting: Rendezvous;
  let agentId: string;
  beforeAll(async () => {
    meeting = await openRendezvous();
    fleet = await startFleet({ redisUrl: url });
    agentId = (await deploy(fleet, scriptAgent({ max_attempts: 2 }))).agentId;
  }, 120_000);
  afterAll(async () => {
    await meeting[Symbol.asyncDispose]();
    expect(await fleet.close()).toEqual(noRemains);
  }, 120_000);

  const newSession = async (): Promise<string> => (await fleet.client.createSession(agentId)).id;

  function asking(session: string, ...steps: Step[]): Promise<MessageRecord> {
    return start(fleet, session, steps);
  }

  function waits({ id }: MessageRecord, key = "approve"): Promise<MessageRecord> {
    return waitUntil(
      async () => {
        const record = await fleet.client.getMessage(id);
        const waiting = record.inputs?.find((one) => one.status === "waiting");
        return record.status === "waiting_for_input" && waiting?.key === key && record;
      },
      { what: `${id} to wait for ${key}`, timeoutMs: 60_000 },
    );
  }

  async function killWorkers(): Promise<void> {
    for (const worker of fleet.workers) if (worker.isRunning) await worker.kill();
  }

  test("the answer is what the agent is given, and the turn's changes count from before the message", async () => {
    const { client } = fleet;
    const session = await newSession();
    await playScript(fleet, session, [["write", "old.txt", "old\n"]]);
    const file = await uploadText(fleet, "bill.txt", "20 EUR\n");
    const steps: Step[] = [
      ["append", "old.txt", "more\n"],
      approve,
      ["write", "paid.txt", "yes\n"],
      ["read", "old.txt"],
    ];
    const parts = [textPart(JSON.stringify(steps)), { type: "file", file_id: file } as const];
    const sent = await client.sendMessageAsync(session, { parts });
    const waiting = await waits(sent);
    expect(waiting).toMatchObject({
      waiting_reason: "input",
      attempt: 1,
      files_changed: [],
      inputs: [{ key: "approve", schema: { type: "boolean" }, prompt: "Pay 20 EUR?", ended_at: null }],
    });
    await expect(client.answerInput(sent.id, { key: "approve", value: "yes" })).rejects.toMatchObject({
      code: "invalid",
      errors: [{ path: "value", message: "expected true or false" }],
    });
    await expect(client.answerInput(sent.id, { key: "other", value: true })).rejects.toMatchObject({
      code: "conflict",
    });
    await expect(client.putSessionFile(session, new Blob(["mine"]), { path: "/old.txt" })).rejects.toMatchObject({
      code: "session_busy",
    });
    expect(await client.answerInput(sent.id, { key: "approve", value: true })).toMatchObject({ id: sent.id });
    const record = await ended(fleet, sent.id);
    // The entrypoint ran twice; the second run found the files of the first.
    expect(resultsOf(record)).toEqual([null, true, null, "old\nmore\nmore\n"]);
    expect(record).toMatchObject({ status: "completed", attempt: 1, inputs: [{ status: "answered" }] });
    expect(record.files_changed).toEqual([
      { path: "/old.txt", change: "modified", size_bytes: 14 },
      { path: "/paid.txt", change: "created", size_bytes: 4 },
    ]);
    expect(await client.getMessageDiff(sent.id)).toContain(" old\n+more\n+more\n");
    await expect(client.answerInput(sent.id, { key: "approve", value: true })).rejects.toMatchObject({
      code: "conflict",
    });
  });

  test("several inputs, one after the other, in the ledger and the transcript", async () => {
    const { client } = fleet;
    const session = await newSession();
    const sent = await asking(session, approve, ["ask", "account", { type: "string" }], approve);
    await waits(sent);
    await client.answerInput(sent.id, { key: "approve", value: false });
    await waits(sent, "account");
    await client.answerInput(sent.id, { key: "account", value: "A-1" });
    expect(resultsOf(await ended(fleet, sent.id))).toEqual([false, "A-1", false]);
    const { data: events } = await client.listEvents(session, { limit: 100 });
    const told = events.flatMap((event) =>
      event.type === "input.requested" || event.type === "input.submitted" ? [[event.type, event.data.key]] : [],
    );
    expect(told).toEqual([
      ["input.requested", "approve"],
      ["input.submitted", "approve"],
      ["input.requested", "account"],
      ["input.submitted", "account"],
    ]);
    const outcomes = events.flatMap((event) => (event.type === "attempt.ended" ? [event.data.outcome] : []));
    expect(outcomes).toEqual(["suspended", "suspended", "completed"]);
    const { data: entries } = await client.getTranscript(session, { limit: 100 });
    expect(entries.filter((entry) => entry.kind === "event")).toHaveLength(4);
  });

  test("a worker that dies while it waits, or when it continues, changes nothing", async () => {
    const { client } = fleet;
    const session = await newSession();
    const point = `resumed-${url === undefined ? "pull" : "queue"}`;
    const sent = await asking(
      session,
      ["write", "a.txt", "1"],
      approve,
      ["meet", meeting.urlOf(point)],
      ["read", "a.txt"],
    );
    await waits(sent);
    await killWorkers();
    await fleet.startWorker();
    await client.answerInput(sent.id, { key: "approve", value: true });
    await meeting.arrived(point);
    await killWorkers();
    meeting.open(point);
    await fleet.startWorker();
    const record = await ended(fleet, sent.id);
    expect(resultsOf(record)).toEqual([null, true, "go", "1"]);
    expect(record).toMatchObject({ attempt: 2, files_changed: [{ path: "/a.txt", change: "created" }] });
  }, 120_000);

  test("a cancel ends the waiting, and the next message starts", async () => {
    const { client } = fleet;
    const session = await newSession();
    const sent = await asking(session, ["write", "half.txt", "x"], approve);
    await waits(sent);
    const next = await asking(session, ["list", "."]);
    expect(await client.cancelMessage(sent.id)).toMatchObject({
      status: "cancelled",
      inputs: [{ status: "cancelled" }],
    });
    expect(resultsOf(await ended(fleet, next.id))[0]).not.toContain("half.txt");
  });

  test("an input without an answer in time fails with its own code, and the next message starts", async () => {
    const session = await newSession();
    const sent = await asking(session, ["ask", "approve", {}, { expiresInSeconds: 1 }]);
    const next = await asking(session, ["attempt"]);
    const record = await ended(fleet, sent.id);
    expect(record).toMatchObject({ status: "failed", output: { error: { code: "input_expired" } }, attempt: 1 });
    expect(resultsOf(await ended(fleet, next.id))).toEqual([1]);
  });

  test("a sync call is answered when its message waits, a stream continues", async () => {
    const { client, apiUrl, apiKey } = fleet;
    const session = await newSession();
    const response = await fetch(`${apiUrl}/v1/sessions/${session}/messages/sync`, {
      method: "POST",
      headers: { authorization: `Bearer ${apiKey}`, "content-type": "application/json" },
      body: JSON.stringify({ parts: [textPart(JSON.stringify([approve]))] }),
    });
    expect(response.status).toBe(202);
    const waiting = (await response.json()) as MessageRecord;
    expect(waiting).toMatchObject({ status: "waiting_for_input", inputs: [{ status: "waiting" }] });
    const seen: string[] = [];
    for await (const { type } of client.streamMessage(waiting.id)) {
      seen.push(type);
      if (type === "input.requested") await waits(waiting);
      if (type === "input.requested") await client.answerInput(waiting.id, { key: "approve", value: true });
    }
    expect(seen).toContain("input.submitted");
    expect(seen.at(-1)).toBe("message.completed");
  });

  test("an agent that asks for what cannot be asked fails with the reason", async () => {
    const session = await newSession();
    const record = await playScript(fleet, session, [["ask", "a", { type: "string", pattern: "(a+)+$" }]]);
    expect(record).toMatchObject({ status: "failed", output: { error: { code: "agent_error" } } });
    expect(record.output?.error?.message).toMatch(/^requestInput: schema\.pattern is not supported/);
  });
});

describe("in other words", () => {
  let fleet: Fleet;
  beforeAll(async () => {
    fleet = await startFleet();
  }, 120_000);
  afterAll(async () => {
    expect(await fleet.close()).toEqual(noRemains);
  }, 120_000);

  test("a Python agent waits and continues", async () => {
    const { agentId } = await deploy(fleet, scriptAgent({ language: "python" }));
    const { id: session } = await fleet.client.createSession(agentId);
    const schema = { type: "object", properties: { ok: { type: "boolean" } }, required: ["ok"] };
    const { id } = await start(fleet, session, [["write", "a.txt", "x"], ["ask", "approve", schema], ["attempt"]]);
    await waitUntil(async () => (await fleet.client.getMessage(id)).status === "waiting_for_input", {
      what: "the agent to ask",
      timeoutMs: 60_000,
    });
    await expect(fleet.client.answerInput(id, { key: "approve", value: {} })).rejects.toMatchObject({
      errors: [{ path: "value.ok", message: "field is required" }],
    });
    await fleet.client.answerInput(id, { key: "approve", value: { ok: true } });
    const record = await ended(fleet, id);
    expect(resultsOf(record)).toEqual([null, { ok: true }, 1]);
    expect(record.files_changed).toEqual([{ path: "/a.txt", change: "created", size_bytes: 1 }]);
  }, 240_000);

  test("the example asks before it pays, and the command answers", async () => {
    const { agentId } = await deploy(fleet, filesOf(join(checkout, "examples/approval")));
    const { id: session } = await fleet.client.createSession(agentId);
    const { id } = await post(fleet, session, "refund 80 euros for order 1842-A");
    const command = { apiUrl: fleet.apiUrl, apiKey: fleet.apiKey, cwd: fleet.dir };
    const shown = await waitUntil(
      async () => {
        const text = await dari(["message", "get", id], command);
        return text.includes("waiting_for_input") && text;
      },
      { what: "the agent to ask", timeoutMs: 60_000 },
    );
    expect(shown).toMatch(/waits for approve-refund until .*: Refund 80\.00 EUR for order 1842-A\?/);
    expect(shown).toContain(`dari message answer ${id} approve-refund --value <json>`);
    const answer = (...value: string[]) => runDari(["message", "answer", id, "approve-refund", ...value], command);
    expect(await answer("--value", "yes")).toMatchObject({ code: 2, stderr: expect.stringContaining("is not JSON") });
    expect(await answer("--value", "true")).toMatchObject({ code: 2, stderr: expect.stringContaining("an object") });
    expect(await answer("--value", '{"approved": true}')).toMatchObject({ code: 0 });
    expect(textOf(await ended(fleet, id))).toContain("Refunded 80.00 EUR");
  }, 240_000);
});
