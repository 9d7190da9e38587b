// The console's pages about an organization and the fleet, in a real browser: webhooks, budgets, usage, what runs; each
// page's load time; and files of agents that must not run as pages.

import { execFile } from "node:child_process";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import path from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { createClient, type Client } from "@dari/client";
import { describeWith, waitUntil } from "@dari/testkit";
import type { Browser, Page } from "playwright-core";
import { inspect, openConsole, picturesDir, signIn, startBrowser } from "../src/browser.ts";
import { machineEnvironment } from "../src/config.ts";
import { deploy, type Published } from "../src/conversation.ts";
import { checkout } from "../src/program.ts";
import { openRendezvous, type Rendezvous } from "../src/rendezvous.ts";
import { startStandalone, type StandaloneProcess } from "../src/standalone-process.ts";
import { readVitals, type Vitals } from "../src/vitals.ts";
import { filesAgent } from "./console-fixtures.ts";

/** A wide limit, because the machine runs other tests at the same time. A page alone takes a tenth of it. */
const paintMsMax = 5_000;
const inputMsMax = 1_500;
/** Layout shift, as web vitals count it: values up to this one are rated good. */
const shiftMax = 0.1;

describeWith("chromium", "the console", ({ command }) => {
  let platform: StandaloneProcess;
  let receiver: Server;
  /** The status of the receiver's next answer. */
  let answer = 500;
  let meeting: Rendezvous;
  let browser: Browser;
  let page: Page;
  let errors: readonly string[];
  let client: Client;
  let published: Published;

  const go = async (place: string): Promise<void> => void (await page.goto(`${platform.apiUrl}/console${place}`));
  const ask = async (text: string): Promise<string> => {
    const session = await client.createSession(published.agentId);
    await client.sendMessage(session.id, { parts: [{ type: "text", text }] });
    return session.id;
  };

  beforeAll(async () => {
    const build = [path.join(checkout, "scripts/run.mjs"), "console"];
    await promisify(execFile)(process.execPath, build, { cwd: checkout, env: machineEnvironment() });
    receiver = createServer((_request, response) => void response.writeHead(answer).end("<script>ran = true</script>"));
    receiver.listen(0, "127.0.0.1");
    await once(receiver, "listening");
    const allowed = `127.0.0.1:${(receiver.address() as AddressInfo).port}`;
    meeting = await openRendezvous();
    [platform, browser] = await Promise.all([startStandalone({ DARI_WEBHOOK_ALLOW: allowed }), startBrowser(command)]);
    client = createClient(platform);
    ({ page, errors } = await openConsole(browser, platform.apiUrl));
    page.setDefaultTimeout(20_000);
    await signIn(page, platform.apiKey);
    await page.getByRole("heading", { name: "No agents yet" }).waitFor();
    published = await deploy({ ...platform, client }, filesAgent(meeting.urlOf("wait")));
  }, 240_000);

  afterAll(async () => {
    await browser?.close();
    await platform?.[Symbol.asyncDispose]();
    await meeting?.[Symbol.asyncDispose]();
    receiver?.closeAllConnections();
    receiver?.close();
  }, 60_000);

  test("pages of an organization that has done nothing say what to do", async () => {
    for (const [place, says] of [
      ["/overview", "Needs attention"],
      ["/schedules", "There are no schedules yet"],
      ["/batches", "No batch yet"],
      ["/webhooks", "No webhooks yet"],
      ["/budgets", "No budget is set"],
      ["/usage", "Nothing was used"],
      ["/failed", "Nothing has failed"],
    ] as const) {
      await go(place);
      await page.getByRole("heading", { name: says }).waitFor();
      expect([place, await inspect(page, `${place.slice(1)}-empty`)]).toEqual([place, []]);
    }
  });

  test("a webhook is added by keys, its secret shown once, its failure seen, and sent again", async () => {
    await page.keyboard.press("g");
    await page.keyboard.press("w");
    await page.getByRole("button", { name: "Add endpoint" }).click();
    const form = page.getByRole("dialog", { name: "New endpoint" });
    const { port } = receiver.address() as AddressInfo;
    await form.getByLabel("URL").fill(`http://127.0.0.1:${port}/hooks`);
    await form.getByRole("checkbox", { name: "agent.event", exact: true }).check();
    expect(await form.getByRole("checkbox", { name: "message.completed" }).isChecked()).toBe(true);
    expect(await inspect(page, "webhook-new")).toEqual([]);
    await form.getByRole("button", { name: "Add it" }).click();
    const shown = page.getByRole("dialog", { name: "The endpoint’s secret" });
    const secret = await shown.locator("code").innerText();
    expect(secret).toMatch(/^whsec_/);
    await shown.getByRole("button", { name: "I have it" }).click();
    expect(await page.content()).not.toContain(secret);
    await ask("hello");
    expect(await inspect(page, "webhooks")).toEqual([]);
    await page.getByRole("link", { name: `127.0.0.1:${port}` }).click();
    const deliveries = page.getByRole("table", { name: "Deliveries" });
    await deliveries.getByText("500").first().waitFor();
    await deliveries.getByText("Reply").first().click();
    await deliveries.getByText("<script>ran = true</script>").first().waitFor();
    expect(await inspect(page, "webhook-failing")).toEqual([]);
    answer = 200;
    await page.getByRole("button", { name: "Resend" }).first().click();
    await deliveries.getByText("delivered").first().waitFor();
    await page.getByRole("button", { name: "Send a test" }).click();
    await deliveries.getByText("webhook.test").waitFor();
  });

  test("a webhook gets a new secret and other events, is disabled with a notice, and is enabled again", async () => {
    await page.getByRole("button", { name: "Rotate secret" }).click();
    await page.getByRole("button", { name: "Rotate it" }).click();
    const rotated = page.getByRole("dialog", { name: "The new secret" });
    expect(await rotated.locator("code").innerText()).toMatch(/^whsec_/);
    await rotated.getByRole("button", { name: "I have it" }).click();
    await page.getByText("signs beside the new one").waitFor();
    await page.getByRole("button", { name: "Edit" }).click();
    const form = page.getByRole("dialog", { name: "Edit the endpoint" });
    await form.getByRole("checkbox", { name: "agent.event", exact: true }).uncheck();
    await form.getByLabel("Description").fill("tells the desk");
    await form.getByRole("button", { name: "Save" }).click();
    await page.getByText("tells the desk").waitFor();
    await page.getByRole("button", { name: "Disable" }).click();
    await page.getByText("Nothing is delivered.").waitFor();
    expect(await inspect(page, "webhook-disabled")).toEqual([]);
    const [endpoint] = (await client.listWebhookEndpoints()).data;
    expect(endpoint).toMatchObject({ status: "disabled", event_types: expect.not.arrayContaining(["agent.event"]) });
    await page.getByRole("button", { name: "Enable" }).click();
    await page.getByText("Nothing is delivered.").waitFor({ state: "detached" });
  });

  test("a budget is set, sessions that it holds are listed, and they continue when it is deleted", async () => {
    await page.keyboard.press("g");
    await page.keyboard.press("b");
    await page.getByRole("button", { name: "Set a budget" }).click();
    const form = page.getByRole("dialog", { name: "Set a budget" });
    await form.getByLabel(/^Turns/).fill("1");
    await form.getByLabel(/^Tokens/).fill("1000000");
    expect(await inspect(page, "budget-new")).toEqual([]);
    await form.getByRole("button", { name: "Set it" }).click();
    await page.getByRole("meter", { name: "Turns used" }).waitFor();
    await ask("hello again");
    const session = await client.createSession(published.agentId);
    const held = await client.sendMessageAsync(session.id, { parts: [{ type: "text", text: "hello?" }] });
    await page.reload();
    await page.getByRole("table", { name: "Held sessions" }).getByText("a budget is spent").waitFor();
    await page.getByText("exhausted").waitFor();
    expect(await inspect(page, "budgets")).toEqual([]);
    await go(`/messages/${held.id}`);
    await page.getByText("a budget is spent").waitFor();
    expect(await inspect(page, "message-held")).toEqual([]);
    await go("/budgets");
    await page.getByRole("button", { name: "Delete the budget of each month" }).click();
    await page.getByRole("button", { name: "Delete it" }).click();
    await page.getByText("no message waits for a budget").waitFor();
    expect((await client.waitForMessage(held.id)).status).toBe("completed");
  });

  test("egress is set, narrowed to hosts and reset: by operators as a limit, by admins for their own", async () => {
    const { id } = await client.getOrganization();
    const made = await client.createOrganization({ name: "a customer" });
    const apiKey = made.api_key ?? "";
    await page.keyboard.press("g");
    await page.keyboard.press("e");
    const table = page.getByRole("table", { name: "Who decides what agents can reach" });
    await page.getByRole("table", { name: "Agents" }).getByText("as the organization allows").waitFor();
    await table.getByText("not set").nth(1).waitFor();
    await page.keyboard.press("/");
    await page.keyboard.type(made.id);
    await page.keyboard.press("Enter");
    await table.getByRole("button", { name: "Set" }).click();
    const form = page.getByRole("dialog", { name: "What agents can connect to" });
    await form.getByRole("textbox", { name: "Hosts" }).fill("api.example.com\nexample.com:8443");
    expect(await inspect(page, "egress-new")).toEqual([]);
    await form.getByRole("button", { name: "Set it" }).click();
    await form.waitFor({ state: "detached" });
    await table.getByText("example.com:8443").waitFor();
    const theirs = createClient({ ...platform, apiKey });
    const bound = { mode: "allow", hosts: ["api.example.com", "example.com:8443"] };
    expect(await theirs.getEgress()).toMatchObject({ organization: null, operator: bound });
    const { page: hers } = await openConsole(browser, platform.apiUrl);
    await signIn(hers, apiKey);
    await hers.getByRole("link", { name: "Egress" }).click();
    await hers.getByRole("button", { name: "Set" }).click();
    await hers.getByRole("combobox", { name: "Agents can reach" }).selectOption("off");
    await hers.getByRole("button", { name: "Set it" }).click();
    await hers.getByRole("cell", { name: "nothing", exact: true }).waitFor();
    expect(await inspect(hers, "egress")).toEqual([]);
    expect(await theirs.getEgress()).toMatchObject({ organization: { mode: "off" }, operator: bound });
    await hers.getByRole("button", { name: "Reset" }).click();
    await hers.getByRole("button", { name: "Reset it" }).click();
    await hers.getByText("not set").waitFor();
    expect(await theirs.getEgress()).toMatchObject({ organization: null, operator: bound });
    expect(await client.getEgress(id)).toEqual({ organization: null, operator: null });
    await hers.context().close();
  });

  test("usage is shown by day and by agent, and stored amounts with their limits", async () => {
    await ask("please fail");
    await page.keyboard.press("g");
    await page.keyboard.press("u");
    const agents = page.getByRole("table", { name: "Usage by agent" });
    await agents.getByRole("link", { name: "worker" }).waitFor();
    const { days } = await client.getUsage();
    const turns = days.reduce((sum, day) => sum + day.turns, 0);
    expect(turns).toBeGreaterThanOrEqual(4);
    await agents
      .getByRole("cell", { name: String(turns), exact: true })
      .first()
      .waitFor();
    await page.getByRole("button", { name: "31 days" }).click();
    await page.getByLabel("Figure").selectOption("turn_seconds");
    await page.getByRole("list", { name: "Turn time by day" }).waitFor();
    expect(await page.getByRole("list", { name: "Turn time by day" }).getByRole("listitem").count()).toBe(31);
    expect(await inspect(page, "usage")).toEqual([]);
  });

  test("operators see what waits and runs, stop all turns and let them begin again", async () => {
    const session = await client.createSession(published.agentId);
    const running = await client.sendMessageAsync(session.id, { parts: [{ type: "text", text: "wait" }] });
    await meeting.arrived("wait");
    await go("/overview");
    await page.getByRole("region", { name: "Running turns" }).getByRole("link", { name: "wait" }).click();
    expect(page.url()).toContain(session.id);
    await go("/fleet");
    const turns = page.getByRole("table", { name: "Running turns" });
    await turns.getByRole("link").waitFor();
    expect(await turns.getByRole("link").getAttribute("href")).toBe(`/console/messages/${running.id}`);
    await page.getByRole("table", { name: "Workers" }).getByText("a turn needs").waitFor();
    await page.getByRole("table", { name: "Checks" }).waitFor();
    expect(await inspect(page, "fleet-running")).toEqual([]);
    await page.getByRole("button", { name: "Stop all turns" }).click();
    await page.getByLabel("Reason").fill("the provider is down");
    await page.getByRole("button", { name: "Stop them" }).click();
    await page.getByText("New turns are stopped").waitFor();
    const stopped = await client.createSession(published.agentId);
    const waiting = await client.sendMessageAsync(stopped.id, { parts: [{ type: "text", text: "hello" }] });
    expect(await inspect(page, "fleet-stopped")).toEqual([]);
    await page.getByRole("button", { name: "Let turns start again" }).click();
    await page.getByText("Turns start when slots are free").waitFor();
    meeting.open("wait");
    expect((await client.waitForMessage(waiting.id)).status).toBe("completed");
    await turns.waitFor({ state: "detached" });
  });

  test("a person is invited, signs in by the link, once, and is removed", async () => {
    await page.keyboard.press("g");
    await page.keyboard.press("p");
    await page.getByLabel("Email").fill("ada@example.com");
    await page.getByRole("button", { name: "Invite" }).click();
    const made = page.getByRole("dialog", { name: "A link for ada@example.com" });
    const link = await made.locator("code").innerText();
    await made.getByRole("button", { name: "I have it" }).click();
    expect(await page.content()).not.toContain(link);
    await page.getByRole("table", { name: "Invitations" }).getByText("ada@example.com").waitFor();
    expect(await inspect(page, "members-invited")).toEqual([]);
    const { page: hers } = await openConsole(browser, platform.apiUrl);
    await hers.goto(link);
    expect(await inspect(hers, "join")).toEqual([]);
    await hers.getByRole("button", { name: "Sign in" }).click();
    await hers.getByRole("heading", { name: "Needs attention" }).waitFor();
    expect(hers.url()).toBe(`${platform.apiUrl}/console/overview`);
    await hers.reload();
    await hers.getByRole("navigation").getByText("ada@example.com").waitFor();
    const places = await hers.getByRole("navigation").getByRole("link").allInnerTexts();
    const first = ["Overview", "Agents", "Sessions", "Schedules", "Batches"];
    expect(places).toEqual([...first, "Usage", "Connected apps", "Uploaded files", "Settings"]);
    await hers.goto(`${platform.apiUrl}/console/webhooks`);
    await hers.getByRole("alert").getByText("does not have the scope").waitFor();
    await hers.goto(link);
    await hers.getByRole("button", { name: "Sign in" }).click();
    await hers.getByRole("alert").waitFor();
    await page.reload();
    await page.getByRole("table", { name: "Members" }).getByText("ada@example.com").waitFor();
    expect(await inspect(page, "members")).toEqual([]);
    await hers.goto(`${platform.apiUrl}/console/agents`);
    await hers.getByRole("link", { name: "worker" }).waitFor();
    await page.getByRole("button", { name: "Remove ada@example.com" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Remove" }).click();
    await page.getByRole("heading", { name: "No members yet" }).waitFor();
    await hers.getByRole("link", { name: "Sessions" }).click();
    await hers.getByRole("alert").getByText("no longer signed in").waitFor();
    await hers.getByRole("button", { name: "Sign in again" }).click();
    await hers.getByLabel("API key").waitFor();
    expect(hers.url()).toBe(`${platform.apiUrl}/console/sessions`);
    await hers.context().close();
  });

  test("what an agent asks for is answered on the page, as its schema says", async () => {
    const session = await client.createSession(published.agentId);
    await client.sendMessageAsync(session.id, { parts: [{ type: "text", text: "ask me" }] });
    await go(`/sessions/${session.id}`);
    const form = page.getByRole("form", { name: "What the agent asks for" });
    await form.getByText("Shall I send it?").waitFor();
    expect(await inspect(page, "session-asked")).toEqual([]);
    await form.getByText("Are you sure?").waitFor();
    await form.getByLabel("note").fill("but slowly");
    await form.getByRole("button", { name: "Approve" }).click();
    await page.getByText("You decided: true, but slowly").waitFor();
    await form.waitFor({ state: "detached" });
    await page.getByRole("link", { name: "Details of this message" }).click();
    await page.getByRole("row", { name: "waited for an answer" }).waitFor();
    const runs = page.getByRole("table", { name: "Attempts" });
    await runs.getByRole("rowheader", { name: "1, continued" }).waitFor();
    await page.getByRole("region", { name: "Logs" }).getByText("== attempt 1, continued").waitFor();
    expect(await inspect(page, "message-answered")).toEqual([]);
  });

  test("what an agent wrote is never more than text, a picture or a download", async () => {
    const sessionId = await ask("hello");
    await go(`/sessions/${sessionId}`);
    await page.getByText("<b>bold</b>").waitFor();
    await page.getByText("output/", { exact: true }).click();
    await page.getByRole("button", { name: "page.html" }).click();
    await page.getByRole("region", { name: "Content of page.html" }).getByText("<h1>Not a page</h1>").waitFor();
    await page.getByRole("button", { name: "<img src=x" }).click();
    await page.getByText("a name, and no more").waitFor();
    await page.getByRole("button", { name: "picture.svg" }).click();
    await page.getByRole("img", { name: "picture.svg" }).waitFor();
    expect(await inspect(page, "session-picture")).toEqual([]);
    // Even opened directly, it runs nothing: it has the policy of the page that made it.
    await page.evaluate(`(() => {
      const { src: href } = document.querySelector(".preview img");
      const link = Object.assign(document.createElement("a"), { href, target: "_blank", textContent: "alone" });
      document.querySelector(".preview").append(link);
    })()`);
    const opened = page.context().waitForEvent("page");
    await page.getByRole("link", { name: "alone" }).click();
    const alone = await opened;
    await alone.waitForLoadState();
    expect(await alone.evaluate("[document.documentElement.nodeName, typeof window.ran]")).toEqual([
      "svg",
      "undefined",
    ]);
    await alone.close();
    expect(
      await page.evaluate("[typeof window.ran, document.querySelectorAll('main b, main script, iframe').length]"),
    ).toEqual(["undefined", 0]);
  });

  test("every page is drawn quickly, does not shift, and can be used with the keyboard", async () => {
    const [session] = (await client.listSessions()).data;
    const [endpoint] = (await client.listWebhookEndpoints()).data;
    const agent_id = published.agentId;
    const parts = [{ type: "text" as const, text: "hello" }];
    const schedule = await client.createSchedule({ agent_id, cron: "30 9 1 1 *", parts });
    const batch = await client.createSessionBatch({ agent_id, sessions: [{ parts }] });
    const agent = `/agents/${published.agentId}`;
    const places = [
      ...["/overview", "/agents", agent, `${agent}/versions/${published.version.id}`],
      ...["/schedules", `/schedules/${schedule.id}`, "/batches", `/batches/${batch.id}`],
      ...["/sessions", `/sessions/${session?.id}`, `/messages/${session?.last_message_id}`, "/failed", "/usage"],
      ...["/budgets", "/webhooks", `/webhooks/${endpoint?.id}`, "/members", "/credentials"],
      ...["/egress", "/keys", "/fleet"],
    ];
    const figures: Record<string, Vitals> = {};
    await page.bringToFront();
    for (const place of places) {
      await go(place);
      await page.getByRole("heading", { level: 1 }).waitFor();
      await waitUntil(async () => (await page.locator(".loading").count()) === 0, { what: `all of ${place}` });
      for (const key of ["j", "j", "k", "?"]) await page.keyboard.press(key);
      await page.getByRole("dialog").getByText("next and previous row").waitFor();
      await page.keyboard.press("Escape");
      await page.getByRole("dialog").waitFor({ state: "detached" });
      figures[place.replace(/[a-z]+_[0-9a-z]{26}/g, "…")] = await readVitals(page);
    }
    await writeFile(path.join(picturesDir, "figures.json"), JSON.stringify(figures, null, 2));
    const bad = Object.entries(figures).filter(
      ([, { firstPaintMs, largestPaintMs, shift, slowestInputMs }]) =>
        Math.max(firstPaintMs, largestPaintMs) > paintMsMax || shift > shiftMax || slowestInputMs > inputMsMax,
    );
    expect(bad).toEqual([]);
    expect(Object.values(figures).some(({ slowestInputMs }) => slowestInputMs > 0)).toBe(true);
  });

  test("nothing broke the page's own rules", () => {
    // The browser logs each refusal, such as the first question who is signed in.
    expect(errors.filter((text) => !text.includes("401 (Unauthorized)"))).toEqual([]);
  });
});
