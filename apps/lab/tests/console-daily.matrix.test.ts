// What a person does in the console every day, in a real browser.

import { execFile } from "node:child_process";
import path from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { createClient, type Client } from "@dari/client";
import { atNight, describeWith } from "@dari/testkit";
import type { Browser } from "playwright-core";
import { inspect, openConsole, signIn, startBrowser } from "../src/browser.ts";
import { machineEnvironment } from "../src/config.ts";
import { researcherFiles } from "../src/console/agents.ts";
import { deploy, manifestFile } from "../src/conversation.ts";
import { checkout } from "../src/program.ts";
import { openRendezvous, type Rendezvous } from "../src/rendezvous.ts";
import { startStandalone, type StandaloneProcess } from "../src/standalone-process.ts";

/** Answers with a table, code and HTML, and writes a table. Asks for an approval on request. */
const markdownAgent = {
  ...manifestFile({ name: "accountant", entrypoint: "agent.mjs:agent" }),
  "agent.mjs": `import { mkdir, writeFile } from "node:fs/promises";
export async function agent(prompt, context) {
    if (prompt.includes("send it")) {
      const schema = { type: "object", required: ["sure"], properties: { sure: { type: "boolean" } } };
      const { sure } = await context.requestInput("sure", schema, { prompt: "Send both invoices?" });
      return "You decided: " + sure;
    }
    console.log("comparing");
    console.error("WARNING: one invoice has no date");
    await mkdir("output", { recursive: true });
    await writeFile("output/invoices.csv", "number,customer,sum\\n7,\\"Smith, Sons & Co\\",12.50\\n8,Nobody,3\\n");
    return "## Result\\n\\n| invoice | sum |\\n| --- | ---: |\\n| 7 | 12.50 |\\n\\n" +
      "- [x] **checked**\\n- [ ] paid\\n\\n" +
      "\`\`\`js\\nconst sum = 12.5; // euros\\n\`\`\`\\n\\n<b>no HTML</b> <script>alert(1)</script>";
  }`,
};

const steeredAgent = (meetingUrl: string) => ({
  ...manifestFile({ name: "steered", entrypoint: "agent.mjs:agent", env: { MEETING: meetingUrl } }),
  "agent.mjs": `export async function agent(prompt, context) {
    await (await fetch(process.env.MEETING)).text();
    const messages = await context.inbox.take();
    return "Steered: " + messages.map(({ text }) => text).join();
  }`,
});

describeWith("chromium", "the console every day", ({ command }) => {
  let platform: StandaloneProcess;
  let browser: Browser;
  let client: Client;
  let meeting: Rendezvous;

  beforeAll(async () => {
    meeting = await openRendezvous();
    const build = [path.join(checkout, "scripts/run.mjs"), "console"];
    await promisify(execFile)(process.execPath, build, { cwd: checkout, env: machineEnvironment() });
    [platform, browser] = await Promise.all([startStandalone(), startBrowser(command)]);
    client = createClient(platform);
  }, 180_000);

  afterAll(async () => {
    await browser?.close();
    await platform?.[Symbol.asyncDispose]();
    await meeting?.[Symbol.asyncDispose]();
  }, 60_000);

  test("a link signs another browser in, once, and leads from the queue board's sign-in back to it", async () => {
    const { url } = await client.createKeySignInLink();
    const { page: other } = await openConsole(browser, platform.apiUrl);
    await other.goto(url);
    await other.getByRole("button", { name: "Sign in" }).click();
    await other.getByRole("heading", { name: "No agents yet" }).waitFor();
    await other.goto(`${platform.apiUrl}/ops/queues`);
    await other.waitForURL("**/ops/queues");
    await other.context().clearCookies();
    await other.goto(`${platform.apiUrl}/ops/queues`);
    await signIn(other, platform.apiKey);
    await other.waitForURL("**/ops/queues");
    await other.goto(url);
    await other.getByRole("button", { name: "Sign in" }).click();
    expect(await other.getByRole("alert").innerText()).toContain("no longer works");
    await other.context().close();
  });

  test("a session is found by its words, with Ctrl-K and in the list, which updates itself", async () => {
    const { page } = await openConsole(browser, platform.apiUrl);
    await signIn(page, platform.apiKey);
    const { agentId } = await deploy({ ...platform, client }, markdownAgent);
    await page.goto(`${platform.apiUrl}/console/sessions`);
    await page.getByRole("heading", { name: "No sessions yet" }).waitFor();
    const session = await client.createSession(agentId);
    await client.sendMessage(session.id, { parts: [{ type: "text", text: "Compare the two invoices" }] });
    const row = page.getByRole("row", { name: /Compare the two invoices/ });
    await row.getByText("completed").waitFor();
    await page.goto(`${platform.apiUrl}/console/sessions?started_by=caller&q=INVOICES`);
    await row.waitFor();
    await page.getByRole("button", { name: "Save this filter" }).click();
    await page.getByLabel("Name").fill("invoices");
    await page.getByRole("button", { name: "Save", exact: true }).click();
    await page.reload();
    await page.getByRole("link", { name: "invoices", exact: true }).waitFor();
    expect(await inspect(page, "sessions-found")).toEqual([]);
    await page.keyboard.press("Control+k");
    await page.getByRole("combobox", { name: "Page, agent, session or action" }).fill("two invoices");
    await page.getByRole("option", { name: /Compare the two invoices/ }).waitFor();
    expect(await inspect(page, "palette")).toEqual([]);
    await page.getByRole("option", { name: /Compare the two invoices/ }).click();
    await page.getByRole("cell", { name: "12.50" }).waitFor();
    expect(await page.locator(".markdown b, .markdown script").count()).toBe(0);
    expect(await inspect(page, "session-markdown")).toEqual([]);
    await page.setViewportSize({ width: 390, height: 844 });
    await page.getByRole("button", { name: "Menu" }).click();
    await page.getByRole("link", { name: "Settings" }).click();
    await page.getByRole("table", { name: "Limits" }).waitFor();
    expect(await inspect(page, "settings-narrow")).toEqual([]);
    for (const place of ["overview", "agents", `agents/${agentId}`, "sessions", "uploads", "audit"]) {
      await page.goto(`${platform.apiUrl}/console/${place}`);
      await page.getByRole("heading", { level: 1 }).waitFor();
      await page.locator(".loading").first().waitFor({ state: "detached" });
      const name = place.replace(agentId, "one").replace("/", "-");
      expect([place, await inspect(page, `${name}-narrow`)]).toEqual([place, []]);
      await page.setViewportSize({ width: 1360, height: 860 });
      expect([place, await inspect(page, `${name}-filled`)]).toEqual([place, []]);
      await page.setViewportSize({ width: 390, height: 844 });
    }
    await page.context().close();
  }, 240_000);

  test("an agent opened by name shows its id, and changes of its source by file", async () => {
    const { page } = await openConsole(browser, platform.apiUrl);
    await signIn(page, platform.apiKey);
    const [agent] = (await client.listAgents()).data;
    const id = agent?.id ?? "";
    await page.goto(`${platform.apiUrl}/console/agents/accountant`);
    await page.locator(`.id code[title="${id}"]`).waitFor();
    const sessions = page.getByRole("main").getByRole("link", { name: "Sessions", exact: true });
    expect(await sessions.getAttribute("href")).toBe(`/console/sessions?agent_id=${id}`);
    const changed = {
      ...markdownAgent,
      "agent.mjs": markdownAgent["agent.mjs"].replace("comparing", "comparing carefully"),
      "rules.md": "# Rules\n\nNever guess a date.\n",
    };
    const { version } = await deploy({ ...platform, client }, changed, id);
    await page.goto(`${platform.apiUrl}/console/agents/accountant/versions/${version.id}`);
    await page.getByText("Source changes since version 1").click();
    const source = page.getByRole("region", { name: "Source changes" });
    await source.locator(".added", { hasText: "comparing carefully" }).waitFor();
    await source.locator(".removed", { hasText: 'console.log("comparing");' }).waitFor();
    await source.locator(".added", { hasText: "Never guess a date." }).waitFor();
    expect(await source.locator("summary code").allInnerTexts()).toEqual(["agent.mjs", "rules.md"]);
    expect(await page.getByRole("link", { name: "accountant", exact: true }).count()).toBe(1);
    expect(await inspect(page, "version-source")).toEqual([]);
    await page.context().close();
  }, 120_000);

  test("agents are listed when their figures do not load, and the page says so", async () => {
    const { page } = await openConsole(browser, platform.apiUrl);
    await signIn(page, platform.apiKey);
    await page.getByRole("heading", { name: "Needs attention" }).waitFor();
    await page.route("**/usage?days=7", (route) => route.abort());
    await page.goto(`${platform.apiUrl}/console/agents`);
    await page.getByRole("link", { name: "accountant" }).waitFor();
    await page.getByRole("alert").getByRole("button", { name: "Try again" }).waitFor();
    await page.context().close();
  }, 60_000);

  test("a table of an agent is shown as one, or as its source; a question is rejected with a button", async () => {
    const { page } = await openConsole(browser, platform.apiUrl);
    await signIn(page, platform.apiKey);
    const session = await client.createSession("accountant");
    await client.sendMessage(session.id, { parts: [{ type: "text", text: "Compare them" }] });
    await page.goto(`${platform.apiUrl}/console/sessions/${session.id}`);
    await page.getByText("output/", { exact: true }).click();
    await page.getByRole("button", { name: "invoices.csv" }).click();
    const content = page.getByRole("region", { name: "Content of invoices.csv" });
    await content.getByRole("cell", { name: "Smith, Sons & Co", exact: true }).waitFor();
    expect(await content.getByRole("columnheader").allInnerTexts()).toEqual(["number", "customer", "sum"]);
    expect(await inspect(page, "session-table")).toEqual([]);
    await page.getByLabel("Source").check();
    await content.getByText('7,"Smith, Sons & Co",12.50').waitFor();
    await page.keyboard.press("Escape");
    await content.waitFor({ state: "detached" });
    await client.sendMessageAsync(session.id, { parts: [{ type: "text", text: "send it" }] });
    await page.keyboard.press("g");
    await page.keyboard.press("h");
    const waiting = page.getByRole("region", { name: "Waiting for an answer" });
    await waiting.getByText("Send both invoices?").waitFor();
    await page.getByRole("img", { name: /^Turns by day: at most \d+ on / }).waitFor();
    await page.getByText("Figures by day").click();
    const { days } = await client.getOverview();
    const row = page.getByRole("table", { name: "Figures by day" }).getByRole("row", { name: days[0]?.date ?? "none" });
    await row
      .getByRole("cell", { name: String(days[0]?.turns), exact: true })
      .first()
      .waitFor();
    expect(await inspect(page, "overview")).toEqual([]);
    await waiting.getByRole("link", { name: "Compare them" }).click();
    const form = page.getByRole("form", { name: "What the agent asks for" });
    await form.getByText("Send both invoices?").waitFor();
    expect(await inspect(page, "session-approval")).toEqual([]);
    await form.getByRole("button", { name: "Reject" }).click();
    await page.getByText("You decided: false").waitFor();
    await page.context().close();
  }, 120_000);

  atNight(test)(
    "the API reference sends calls of a signed-in browser, and tells others to sign in",
    async () => {
      const { page } = await openConsole(browser, platform.apiUrl);
      await signIn(page, platform.apiKey);
      await page.getByRole("heading", { name: "Needs attention" }).waitFor();
      await page.goto(`${platform.apiUrl}/docs`);
      const list = page.locator("#listAgents");
      await list.getByText("Try it").click();
      await list.getByLabel("limit").fill("1");
      await list.getByRole("button", { name: "Send" }).click();
      await list.locator("output", { hasText: /^200\b/ }).waitFor();
      expect(await list.locator("output").innerText()).toContain('"name": "accountant"');
      const create = page.locator("#createSession");
      await create.getByText("Try it").click();
      await create.getByLabel("agent_id").fill("accountant");
      await create.getByLabel("Body").fill('{"name": "from the reference"}');
      const asked: string[] = [];
      page.on("dialog", (dialog) => {
        asked.push(dialog.message());
        dialog.accept().catch(() => undefined);
      });
      await create.getByRole("button", { name: "Send" }).click();
      await create.locator("output", { hasText: /^201\b/ }).waitFor();
      expect(asked).toEqual(["Send POST to this platform, as the signed-in account?"]);
      expect((await client.listSessions({ name: "from the reference" })).data).toHaveLength(1);
      expect(await inspect(page, "reference")).toEqual([]);
      await page.context().clearCookies();
      await list.getByRole("button", { name: "Send" }).click();
      await list.getByText("Sign in to the console first").waitFor();
      await page.context().close();
    },
    120_000,
  );

  test("what an agent does is shown as it happens, the same after a reload, and on its message's page", async () => {
    const { page } = await openConsole(browser, platform.apiUrl);
    await signIn(page, platform.apiKey);
    const { agentId } = await deploy({ ...platform, client }, researcherFiles("researcher", meeting.urlOf("tools")));
    const session = await client.createSession(agentId);
    await page.goto(`${platform.apiUrl}/console/sessions/${session.id}`);
    const text = "Compare the vendors, wait for the offers, and try again if a server is overloaded";
    await client.sendMessageAsync(session.id, { parts: [{ type: "text", text }] });
    const running = page.locator(".call.running", { hasText: "/workspace/input/offers.csv" });
    await running.waitFor();
    expect(await inspect(page, "session-tools-running")).toEqual([]);
    meeting.open("tools");
    const chart = page.getByRole("img", { name: "Price per seat" });
    await chart.waitFor();
    const rows = page.locator(".turn .step");
    const live = await rows.allInnerTexts();
    await page.reload();
    await chart.waitFor();
    expect(await rows.allInnerTexts()).toEqual(live);
    expect(live.filter((line) => line.includes("529 overloaded_error"))).toHaveLength(1);
    await page.locator(".call.failed").getByText("Bash").click();
    await page.getByRole("region", { name: "Error" }).getByText("FileNotFoundError").waitFor();
    await page.locator(".call").getByText("Task · lawyer").click();
    await page.getByRole("list", { name: "What the subagent did" }).getByText("liability", { exact: true }).waitFor();
    expect(await page.getByRole("link", { name: "terms" }).getAttribute("rel")).toContain("noopener");
    await page.getByText("(example.com)").waitFor();
    expect(await inspect(page, "session-tools")).toEqual([]);
    await page.setViewportSize({ width: 390, height: 844 });
    expect(await inspect(page, "session-tools-narrow")).toEqual([]);
    expect(await page.evaluate("document.documentElement.scrollWidth")).toBe(390);
    await page.getByRole("link", { name: "Details of this message" }).click();
    const timeline = page.getByRole("table", { name: "Timeline" });
    await timeline.getByRole("button", { name: "Bash" }).first().press("Enter");
    await timeline.getByRole("region", { name: "Error" }).waitFor();
    expect(await inspect(page, "message-tools-narrow")).toEqual([]);
    await page.setViewportSize({ width: 1360, height: 860 });
    expect(await inspect(page, "message-tools")).toEqual([]);
    await page.context().close();
  }, 120_000);

  test("a message that is typed during a turn steers it, and is shown at its place in that turn", async () => {
    const { page } = await openConsole(browser, platform.apiUrl);
    await signIn(page, platform.apiKey);
    const { agentId } = await deploy({ ...platform, client }, steeredAgent(meeting.urlOf("steered")));
    const session = await client.createSession(agentId);
    await page.goto(`${platform.apiUrl}/console/sessions/${session.id}`);
    const field = page.getByRole("textbox", { name: "Message" });
    await field.fill("Go on");
    await field.press("Enter");
    await meeting.arrived("steered");
    await page.getByLabel("During a turn").waitFor();
    await field.fill("to the left");
    await field.press("Enter");
    await page.locator("li.turn").nth(1).waitFor();
    expect(await inspect(page, "session-steering")).toEqual([]);
    meeting.open("steered");
    await page.getByText("Steered: to the left", { exact: true }).waitFor();
    const turns = async () => page.locator("li.turn").allInnerTexts();
    const live = await turns();
    expect(live).toHaveLength(1);
    await page.locator(".step.steered").getByText("to the left", { exact: true }).waitFor();
    await page.reload();
    await page.getByText("Steered: to the left", { exact: true }).waitFor();
    expect(await turns()).toEqual(live);
    await page.context().close();
  }, 120_000);
});
