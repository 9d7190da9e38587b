// Messages that ask for a higher limit: an answer lets the turn go on, and no request is paid twice, also if its worker
// is killed.

import { execFile } from "node:child_process";
import path from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import type { MessageInput, MessageRecord } from "@dari/contract";
import { createBwrapDriver } from "@dari/sandbox";
import { describeWith, findService, isNightly, waitUntil } from "@dari/testkit";
import { inspect, openConsole, signIn, startBrowser } from "../src/browser.ts";
import { machineEnvironment } from "../src/config.ts";
import { deploy, ended, post, send, textOf } from "../src/conversation.ts";
import { dari } from "../src/curl.ts";
import { noRemains, startFleet, type Fleet } from "../src/fleet.ts";
import { checkout } from "../src/program.ts";
import { counting, requestsOfTurn as total, type CountingModel } from "../src/counting-model.ts";
import { openaiAgent as sdk, plainAgent as plain } from "./counting-agents.ts";

const isIsolated = (await createBwrapDriver().probe()).ok;
const isolated = isIsolated ? test : test.skip;

let model: CountingModel;
let fleet: Fleet;
let agentId: string;
/** What a turn without limits answers. */
let expected: string;

beforeAll(async () => {
  model = await counting();
  fleet = await startFleet({
    redisUrl: findService("redis")?.url,
    env: {
      ...model.env,
      ...(isIsolated ? { DARI_SANDBOX: "bwrap" } : {}),
      DARI_WORKER_SLOTS: "4",
      DARI_LEASE_MS: "8000",
    },
  });
  if (!isIsolated) return;
  await fleet.client.putCredential("OPENAI_API_KEY", { value: "sk-1234567890", hosts: [model.openai] });
  agentId = await deployPlain({ requests: 3, at_limit: "ask" });
  const { id: session } = await fleet.client.createSession(await deployPlain({}));
  expected = textOf(await send(fleet, session, "unlimited"));
  expect(model.asked("unlimited")).toBe(total);
}, 300_000);
afterAll(async () => {
  expect(await fleet.close()).toEqual(noRemains);
  await model[Symbol.asyncDispose]();
}, 120_000);

/** Publishes an agent that makes one request after the other. */
async function deployAgent(agent: typeof plain, limits: object, source?: string): Promise<string> {
  const files = agent.files(model, { record_answers: true, max_attempts: 20 });
  const manifest = { ...(JSON.parse(String(files["dari.yml"])) as object), limits };
  const changed = source === undefined ? {} : { "agent.mjs": source };
  return (await deploy(fleet, { ...files, ...changed, "dari.yml": JSON.stringify(manifest) })).agentId;
}
const deployPlain = (limits: object, source?: string) => deployAgent(plain, limits, source);

async function begin(name: string, of = agentId): Promise<MessageRecord> {
  const { id: session } = await fleet.client.createSession(of);
  return post(fleet, session, name);
}

function waits({ id }: MessageRecord, key: string): Promise<MessageInput> {
  return waitUntil(
    async () => {
      const { inputs = [] } = await fleet.client.getMessage(id);
      return inputs.find((input) => input.key === key && input.status === "waiting");
    },
    { what: `${id} to wait for ${key}`, timeoutMs: 60_000 },
  );
}

const approve = ({ id }: MessageRecord, key: string, more: object = {}) =>
  fleet.client.answerInput(id, { key, value: { approved: true, ...more } });

async function killWorkers(): Promise<void> {
  for (const worker of fleet.workers) if (worker.isRunning) await worker.kill();
  await fleet.startWorker();
}

async function tell({ id, session_id: session }: MessageRecord) {
  const { data } = await fleet.client.listModelRequests(id, { limit: 100 });
  const { data: events } = await fleet.client.listEvents(session, { limit: 200 });
  const ends = events.flatMap((event) => (event.type === "attempt.ended" ? [event.data.outcome] : []));
  return { ends, recorded: data.filter((each) => each.is_recorded).length };
}

(isNightly() ? isolated : test.skip)(
  "an agent of an SDK goes on as well",
  async () => {
    const { id: session } = await fleet.client.createSession(await deployAgent(sdk, {}));
    const unlimited = textOf(await send(fleet, session, "sdk-unlimited"));
    const sent = await begin("sdk", await deployAgent(sdk, { requests: 4, at_limit: "ask" }));
    await waits(sent, "dari:budget-1");
    await approve(sent, "dari:budget-1");
    const record = await ended(fleet, sent.id, 60_000);
    expect([record.status, textOf(record)]).toEqual(["completed", unlimited]);
    expect(model.asked("sdk")).toBe(total);
  },
  300_000,
);

isolated(
  "each raise lets the turn go on, and the model gets each request once",
  async () => {
    const sent = await begin("raised");
    const asked = await waits(sent, "dari:budget-1");
    expect(asked).toMatchObject({
      type: "budget",
      budget: { limit: "requests", value: 3, used: 3, requested: 1, needed: 4 },
      prompt: expect.stringMatching(
        /^limit reached: the message has made 3 of 3 requests to models\. Approve to raise/,
      ),
    });
    expect(model.asked("raised")).toBe(3);
    await expect(approve(sent, "dari:budget-1", { requests: 3 })).rejects.toMatchObject({
      code: "invalid",
      errors: [{ path: "value.requests" }],
    });
    expect(await approve(sent, "dari:budget-1")).toMatchObject({ limits: { requests: 6 } });
    await waits(sent, "dari:budget-2");
    expect(model.asked("raised")).toBe(6);
    await approve(sent, "dari:budget-2", { requests: total });
    await expect(approve(sent, "dari:budget-2")).rejects.toMatchObject({ code: "conflict" });
    const record = await ended(fleet, sent.id, 60_000);
    expect(record).toMatchObject({ status: "completed", attempt: 1, limits: { requests: total } });
    expect(textOf(record)).toBe(expected);
    expect(model.asked("raised")).toBe(total);
    expect(await tell(sent)).toEqual({ ends: ["released", "released", "completed"], recorded: 3 + 6 });
  },
  120_000,
);

isolated(
  "a refusal fails the message with what was reached",
  async () => {
    const sent = await begin("declined");
    await waits(sent, "dari:budget-1");
    const command = { apiUrl: fleet.apiUrl, apiKey: fleet.apiKey, cwd: fleet.dir };
    expect(await dari(["message", "get", sent.id], command)).toContain(
      `dari message answer ${sent.id} dari:budget-1 --value '{"approved": true}'`,
    );
    const answer = ["message", "answer", sent.id, "dari:budget-1", "--value", '{"approved": false}'];
    expect(await dari(answer, command)).toContain(`${sent.id} failed`);
    expect(await ended(fleet, sent.id)).toMatchObject({
      status: "failed",
      output: { error: { code: "budget_exceeded", message: expect.stringContaining("3 of 3 requests to models") } },
    });
    expect(model.asked("declined")).toBe(3);
  },
  60_000,
);

isolated(
  "requests that are open at the limit get their answers, which are kept",
  async () => {
    const parallel = `
const headers = { authorization: \`Bearer \${process.env.OPENAI_API_KEY}\`, "content-type": "application/json" };
const ask = async (prompt, number) => {
  const messages = [{ role: "user", content: prompt }, { role: "user", content: String(number) }];
  const body = JSON.stringify({ model: "m", messages });
  const url = "https://${model.openai}/v1/chat/completions";
  const answer = await fetch(url, { method: "POST", headers, body });
  return answer.status;
};
export async function agent(prompt) {
  return (await Promise.all([1, 2, 3, 4].map((number) => ask(prompt, number)))).join();
}`;
    const held = model.hold("parallel", 1, "during");
    const sent = await begin("parallel", await deployPlain({ requests: 2, at_limit: "ask" }, parallel));
    await held.reached;
    await waitUntil(() => model.asked("parallel") === 2, { what: "both requests" });
    held.release();
    expect((await waits(sent, "dari:budget-1")).budget).toMatchObject({ used: 2, needed: 3 });
    await approve(sent, "dari:budget-1");
    expect(textOf(await ended(fleet, sent.id, 60_000))).toBe("200,200,200,200");
    expect(model.asked("parallel")).toBe(4);
  },
  120_000,
);

isolated(
  "a worker that is killed while the message waits, or after the answer, costs what was open",
  async () => {
    const held = model.hold("killed", 5, "during");
    const sent = await begin("killed");
    await waits(sent, "dari:budget-1");
    await killWorkers();
    await approve(sent, "dari:budget-1", { requests: 20 });
    await held.reached;
    await killWorkers();
    held.release();
    const record = await ended(fleet, sent.id, 120_000);
    expect(textOf(record)).toBe(expected);
    expect(model.asked("killed")).toBe(total + 1);
    expect((await tell(sent)).ends).toEqual(["released", "lost", "completed"]);
  },
  180_000,
);

isolated(
  "the files of the turn are those of the undisturbed one",
  async () => {
    const appending = `
import { appendFile } from "node:fs/promises";
${String(plain!.files(model, {})["agent.mjs"]).replace(
  "numbers.push(said);",
  'numbers.push(said); await appendFile("notes.txt", said + "\\n");',
)}`;
    const sent = await begin("appended", await deployPlain({ requests: 5, at_limit: "ask" }, appending));
    await waits(sent, "dari:budget-1");
    await approve(sent, "dari:budget-1");
    const record = await ended(fleet, sent.id, 60_000);
    expect(record.files_changed).toEqual([{ path: "/notes.txt", change: "created", size_bytes: 2 * total }]);
    expect(model.asked("appended")).toBe(total);
  },
  120_000,
);

describeWith("chromium", "in the console", ({ command }) => {
  isolated(
    "a person raises the limit in place",
    async () => {
      const build = [path.join(checkout, "scripts/run.mjs"), "console"];
      await promisify(execFile)(process.execPath, build, { cwd: checkout, env: machineEnvironment() });
      await using browser = await startBrowser(command);
      const sent = await begin("console");
      await waits(sent, "dari:budget-1");
      const { page, errors } = await openConsole(browser, fleet.apiUrl);
      await signIn(page, fleet.apiKey);
      await page.getByRole("heading", { name: "Needs attention" }).waitFor();
      await page.goto(`${fleet.apiUrl}/console/sessions/${sent.session_id}`);
      const form = page.getByRole("form", { name: "What the platform asks for" });
      await form.getByText("limit reached: the message has made 3 of 3 requests to models.").waitFor();
      const limit = form.getByLabel("New limit of requests");
      expect(await limit.inputValue()).toBe("6");
      expect(await inspect(page, "raised-limit")).toEqual([]);
      await page.setViewportSize({ width: 390, height: 844 });
      expect(await inspect(page, "raised-limit-390")).toEqual([]);
      const overflow = await page.evaluate(
        "document.documentElement.scrollWidth - document.documentElement.clientWidth",
      );
      expect(overflow).toBe(0);
      await page.setViewportSize({ width: 1360, height: 860 });
      await limit.fill("3");
      await form.getByRole("button", { name: "Approve" }).click();
      await form.getByRole("alert").getByText("expected at least 4").waitFor();
      await limit.fill("8");
      await form.getByRole("button", { name: "Approve" }).click();
      await page.getByText(expected).waitFor();
      expect(await fleet.client.getMessage(sent.id)).toMatchObject({ status: "completed", limits: { requests: 8 } });
      expect(model.asked("console")).toBe(total);
      // Before the sign-in, and for the limit that was too low.
      expect(errors.filter((text) => !/401 \(Unauthorized\)|422 \(Unprocessable/.test(text))).toEqual([]);
      await page.context().close();
    },
    180_000,
  );
});
