// The console in a real browser, on a platform started by `npm start`: everything a person does there, from signing in
// on.

import { execFile } from "node:child_process";
import path from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { createClient, type Client } from "@dari/client";
import { describeWith, startFaultProxy, waitUntil } from "@dari/testkit";
import type { Browser, Page } from "playwright-core";
import { inspect, openConsole, signIn, startBrowser } from "../src/browser.ts";
import { machineEnvironment } from "../src/config.ts";
import { deploy } from "../src/conversation.ts";
import { checkout } from "../src/program.ts";
import { openRendezvous, type Rendezvous } from "../src/rendezvous.ts";
import { startStandalone, type StandaloneProcess } from "../src/standalone-process.ts";
import { echoAgent, firingsOf } from "./console-fixtures.ts";

/** The most bytes of all scripts and styles together, compressed. */
const assetBytesMax = 140_000;
/** A wide limit, because the machine runs other tests at the same time. */
const paintMsMax = 5_000;

describeWith("chromium", "the console", ({ command }) => {
  let platform: StandaloneProcess;
  let meeting: Rendezvous;
  let browser: Browser;
  let page: Page;
  let errors: readonly string[];
  let client: Client;
  let agentId: string;
  /** The address of the session that most tests use. */
  let talk: string;

  const say = async (text: string): Promise<void> => {
    const field = page.getByRole("textbox", { name: "Message" });
    await field.fill(text);
    await field.press("Enter");
  };

  beforeAll(async () => {
    const build = [path.join(checkout, "scripts/run.mjs"), "console"];
    await promisify(execFile)(process.execPath, build, { cwd: checkout, env: machineEnvironment() });
    meeting = await openRendezvous();
    [platform, browser] = await Promise.all([startStandalone(), startBrowser(command)]);
    client = createClient(platform);
    ({ page, errors } = await openConsole(browser, platform.apiUrl));
    page.setDefaultTimeout(20_000);
  }, 180_000);

  afterAll(async () => {
    await browser?.close();
    await platform?.[Symbol.asyncDispose]();
    await meeting?.[Symbol.asyncDispose]();
  }, 60_000);

  test("what is loaded is small, and drawn soon", async () => {
    const measure = async <Entry>(expression: string): Promise<Entry[]> =>
      (await page.evaluate(`performance.${expression}.map((entry) => entry.toJSON())`)) as Entry[];
    const paint = await waitUntil(
      async () => (await measure<{ startTime: number }>("getEntriesByName('first-contentful-paint')"))[0],
      { what: "the first paint" },
    );
    expect(paint.startTime).toBeLessThan(paintMsMax);
    const loaded = await measure<{ name: string; encodedBodySize: number }>("getEntriesByType('resource')");
    const assets = loaded.filter(({ name }) => name.includes("/console/assets/"));
    expect(assets.length).toBeGreaterThanOrEqual(2);
    expect(assets.reduce((sum, { encodedBodySize }) => sum + encodedBodySize, 0)).toBeLessThan(assetBytesMax);
  });

  test("an unknown key is refused in words; the right one signs the browser in, in all tabs", async () => {
    await signIn(page, "dari_nobody");
    await page.getByRole("alert").getByText("The platform does not know this key").waitFor();
    expect(await inspect(page, "sign-in")).toEqual([]);
    await signIn(page, platform.apiKey);
    await page.getByRole("heading", { name: "No agents yet" }).waitFor();
    await page.getByText("dari deploy .").waitFor();
    expect(await inspect(page, "overview-empty")).toEqual([]);
    const another = await page.context().newPage();
    await another.goto(`${platform.apiUrl}/`);
    await another.getByRole("heading", { name: "Overview" }).waitFor();
    await another.close();
  });

  test("an agent's page shows its versions and their build logs, and is reached by keys", async () => {
    ({ agentId } = await deploy({ ...platform, client }, echoAgent("echo", meeting.urlOf("half"))));
    await page.keyboard.press("g");
    await page.keyboard.press("a");
    await page.reload();
    await page.getByRole("link", { name: "echo" }).waitFor();
    expect(await inspect(page, "agents")).toEqual([]);
    await page.keyboard.press("j");
    await page.keyboard.press("Enter");
    await page.getByRole("cell", { name: "active", exact: true }).waitFor();
    expect(await inspect(page, "agent")).toEqual([]);
    await page.getByRole("link", { name: "Version 1" }).click();
    await page.getByRole("region", { name: "Build log" }).waitFor();
    expect(await inspect(page, "version")).toEqual([]);
  });

  test("a message with a file is sent, its answer seen as it is written, its files and its diff opened", async () => {
    await page.getByRole("link", { name: "echo" }).click();
    await page.getByRole("button", { name: "New session" }).click();
    await page.getByRole("heading", { name: "Nothing said yet" }).waitFor();
    expect(await inspect(page, "session-empty")).toEqual([]);
    talk = page.url();
    const file = { name: "ticket.txt", mimeType: "text/plain", buffer: Buffer.from("charged twice\n") };
    await page.getByLabel("Files to attach").setInputFiles(file);
    // A new session has the focus in the message field.
    await page.keyboard.type("Draft a reply");
    await page.keyboard.press("Enter");
    // Text that is typed while a message is being sent is the next message.
    await page.keyboard.type("And");
    await meeting.arrived("half");
    expect(await page.getByRole("textbox", { name: "Message" }).inputValue()).toBe("And");
    await page.locator(".typing", { hasText: "You said:" }).waitFor();
    expect(await inspect(page, "session-streaming")).toEqual([]);
    meeting.open("half");
    await page.getByText("You said: Draft a reply", { exact: true }).waitFor();
    await page.getByText("output/", { exact: true }).click();
    await page.getByRole("button", { name: "reply.md" }).click();
    await page.getByRole("region", { name: "Content of reply.md" }).getByText("Reply", { exact: true }).waitFor();
    const download = page.waitForEvent("download");
    await page.getByRole("button", { name: "Download", exact: true }).click();
    expect((await download).suggestedFilename()).toBe("reply.md");
    expect(await inspect(page, "session-file")).toEqual([]);
    await page.keyboard.press("Escape");
    await page.getByText("Diff", { exact: true }).click();
    await page.getByRole("region", { name: "Diff" }).getByText("+# Reply").waitFor();
    expect(await inspect(page, "session")).toEqual([]);
  });

  test("a message that failed is retried, one is rolled back, and the session forked", async () => {
    await say("please fail");
    await page.getByText("as you wish").waitFor();
    await page.getByRole("button", { name: "Retry" }).click();
    await page.locator("[data-status=failed]").nth(1).waitFor();
    await say("And now?");
    await page.getByText("You said: And now?", { exact: true }).waitFor();
    await page.getByRole("button", { name: "Roll back to here" }).first().click();
    await page.getByRole("dialog").waitFor();
    expect(await inspect(page, "roll-back")).toEqual([]);
    await page.getByRole("button", { name: "Roll back", exact: true }).click();
    await page.getByText("rolled back").first().waitFor();
    expect(await inspect(page, "session-rolled-back")).toEqual([]);
    const wide = page.viewportSize() ?? { width: 1360, height: 860 };
    await page.setViewportSize({ width: 390, height: 844 });
    expect(await inspect(page, "session-narrow")).toEqual([]);
    const overflow = "document.documentElement.scrollWidth - document.documentElement.clientWidth";
    expect(await page.evaluate(overflow)).toBe(0);
    await page.setViewportSize(wide);
    await page.getByRole("button", { name: "Fork from here" }).first().click();
    await page.getByRole("link", { name: "forked from another session" }).waitFor();
    await page.getByText("You said: Draft a reply", { exact: true }).waitFor();
  });

  test("an answer without text says why, in the conversation and on the message's page", async () => {
    await say("say nothing");
    const note = page.getByText("the agent answered without text and changed no file");
    await note.waitFor();
    expect(await inspect(page, "session-notes")).toEqual([]);
    await page.getByRole("link", { name: "Details of this message" }).last().click();
    await page.getByRole("heading", { name: "Timeline" }).waitFor();
    await note.waitFor();
  });

  test("a running turn is cancelled", async () => {
    const slow = await deploy({ ...platform, client }, echoAgent("slow", meeting.urlOf("never")));
    const waiting = await client.createSession(slow.agentId, { name: "waits", metadata: { team: "blue" } });
    await page.goto(`${platform.apiUrl}/console/sessions/${waiting.id}`);
    await say("Wait for it");
    await meeting.arrived("never");
    await page.getByRole("button", { name: "Stop" }).click();
    await page.locator("[data-status=cancelled]").waitFor();
  });

  test("a schedule is created with the keyboard, changed, paused and deleted, and shows its results", async () => {
    await page.keyboard.press("g");
    await page.keyboard.press("t");
    await page.getByRole("button", { name: "New schedule" }).click();
    const form = page.getByRole("dialog", { name: "New schedule" });
    await form.getByRole("combobox", { name: "Agent", exact: true }).selectOption({ label: "echo" });
    await form.getByLabel("Cron").fill("60 * * * *");
    await form.getByRole("textbox", { name: "Message" }).fill("What is new?");
    await form.getByRole("button", { name: "Create it" }).click();
    await form.getByRole("alert").getByText("cron").waitFor();
    await form.getByLabel("Cron").fill("30 9 1 1 *");
    await form.getByLabel("Name").fill("once a year");
    expect(await inspect(page, "schedule-new")).toEqual([]);
    await form.getByRole("button", { name: "Create it" }).click();
    await page.getByRole("heading", { name: "It was not due yet" }).waitFor();
    const [made] = (await client.listSchedules()).data;
    expect(made).toMatchObject({ agent_id: agentId, overlap: "skip", lane: "background", status: "active" });
    await page.getByRole("button", { name: "Edit" }).click();
    const edit = page.getByRole("dialog", { name: "Edit the schedule" });
    await edit.getByRole("textbox", { name: "Message" }).fill("What was new?");
    await edit.getByRole("button", { name: "Save" }).click();
    await page.locator(".asked").getByText("What was new?").waitFor();
    const [talked] = (await client.listMessages(talk.split("/").at(-1) ?? "")).data;
    // The shortest interval is a minute, so the test gives the page what the API would answer later.
    const firings = { data: firingsOf(made?.id ?? "", talked?.id ?? ""), has_more: false, next: null };
    await page.route("**/firings*", (route) => route.fulfill({ json: firings }));
    await page.reload();
    await page.getByRole("table", { name: "Due times" }).getByText("12 times").waitFor();
    await page.getByRole("button", { name: "Pause" }).click();
    await page.getByText("Nothing is sent.").waitFor();
    expect(await inspect(page, "schedule-paused")).toEqual([]);
    await page.unroute("**/firings*");
    await page.getByRole("button", { name: "Resume" }).click();
    await page.getByText("Nothing is sent.").waitFor({ state: "detached" });
    await page.getByRole("link", { name: "Schedules" }).last().click();
    await page.getByRole("link", { name: "once a year" }).waitFor();
    expect(await inspect(page, "schedules")).toEqual([]);
    await page.getByLabel("Status").selectOption("paused");
    await page.getByRole("heading", { name: "No schedule is paused" }).waitFor();
    await page.getByLabel("Status").selectOption("");
    await page.getByRole("link", { name: "once a year" }).click();
    await page.getByRole("button", { name: "Delete" }).click();
    await page.getByRole("button", { name: "Delete it" }).click();
    await page.getByRole("heading", { name: "There are no schedules yet" }).waitFor();
  });

  test("a batch starts a session for each line, is followed to its end, and cancelled", async () => {
    await page.keyboard.press("g");
    await page.keyboard.press("n");
    const start = async (name: string, lines: string): Promise<void> => {
      await page.getByRole("button", { name: "New batch" }).click();
      const form = page.getByRole("dialog", { name: "New batch" });
      await form.getByRole("combobox", { name: "Agent", exact: true }).selectOption({ label: name });
      await form.getByLabel("First messages").fill(lines);
      await form.getByLabel("Lane").selectOption("interactive");
      expect(await inspect(page, "batch-new")).toEqual([]);
      await form.getByRole("button", { name: /^Start \d/ }).click();
    };
    await start("echo", "hello\n\nplease fail\nhello again\n");
    await page.getByRole("heading", { name: "3 sessions" }).getByText("ended").waitFor();
    expect((await client.listSessionBatches()).data).toMatchObject([{ lane: "interactive" }]);
    const sessions = page.getByRole("table", { name: "Sessions of the batch" });
    await sessions.getByText("as you wish").waitFor();
    expect(await inspect(page, "batch")).toEqual([]);
    await page.getByLabel("First message").selectOption("failed");
    await sessions.getByText("completed").first().waitFor({ state: "detached" });
    await sessions.getByText("as you wish").waitFor();
    expect(await sessions.getByRole("row").count()).toBe(2);
    await page.getByRole("link", { name: "Batches" }).last().click();
    await start("slow", "wait\nwait");
    await page.getByRole("heading", { name: "2 sessions" }).waitFor();
    await page.getByRole("button", { name: "Cancel" }).click();
    await page.getByRole("button", { name: "Cancel it" }).click();
    await page.getByRole("heading", { name: "2 sessions" }).getByText("ended").waitFor();
    await sessions.getByText("cancelled").nth(1).waitFor();
    await page.getByRole("link", { name: "Batches" }).last().click();
    await page.getByRole("cell", { name: "3", exact: true }).waitFor();
    expect(await inspect(page, "batches")).toEqual([]);
  });

  test("an interrupted conversation continues", async () => {
    await using proxy = await startFaultProxy({ port: Number(new URL(platform.apiUrl).port) });
    const { page: remote } = await openConsole(browser, `http://127.0.0.1:${proxy.port}`);
    await signIn(remote, platform.apiKey);
    await remote.getByRole("heading", { name: "Needs attention" }).waitFor();
    const sessionId = talk.split("/").at(-1) ?? "";
    await remote.goto(`http://127.0.0.1:${proxy.port}/console/sessions/${sessionId}`);
    const known = remote.getByText("You said: Draft a reply", { exact: true });
    const missed = remote.getByText("You said: Missed", { exact: true });
    await known.waitFor();
    proxy.refuse();
    await client.sendMessage(sessionId, { parts: [{ type: "text", text: "Missed" }] });
    expect(await missed.count()).toBe(0);
    proxy.forward();
    await missed.waitFor();
    expect([await known.count(), await missed.count()]).toEqual([1, 1]);
    await remote.context().close();
  });

  test("sessions are filtered by status and metadata", async () => {
    await page.getByRole("navigation").getByRole("link", { name: "Sessions" }).click();
    await page.getByRole("link", { name: "waits" }).waitFor();
    expect(await inspect(page, "sessions")).toEqual([]);
    await page.getByLabel("Status").selectOption("expired");
    await page.getByRole("heading", { name: "No session matches" }).waitFor();
    await page.getByLabel("Status").selectOption("");
    await page.getByRole("link", { name: "waits" }).waitFor();
    await page.keyboard.press("Escape");
    await page.keyboard.press("/");
    await page.keyboard.type("nobody said this");
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "No session matches" }).waitFor();
    await page.keyboard.press("Escape");
  });

  test("going back to a long list finds it as it was left", async () => {
    await Promise.all(
      Array.from({ length: 60 }, (_, index) => client.createSession(agentId, { name: `many ${index}` })),
    );
    await page.goto(`${platform.apiUrl}/console/sessions`);
    await page.getByRole("button", { name: "Show more" }).click();
    const last = page.getByRole("link", { name: /^many/ }).last();
    await waitUntil(async () => (await page.getByRole("link", { name: /^many/ }).count()) === 60, { what: "all rows" });
    await last.scrollIntoViewIfNeeded();
    const [place, rows] = [await page.evaluate("scrollY"), await page.getByRole("row").count()];
    await last.click();
    await page.getByRole("heading", { name: "Nothing said yet" }).waitFor();
    await page.goBack();
    await last.waitFor();
    await waitUntil(async () => (await page.evaluate("scrollY")) === place, { what: "the place that it was left at" });
    expect(await page.getByRole("row").count()).toBe(rows);
  });

  test("a message's page shows where its time went, its attempts and what was printed", async () => {
    await page.goto(talk);
    await page.getByRole("link", { name: "Details of this message" }).first().click();
    await page.getByRole("row", { name: "agent ran" }).waitFor();
    await page.getByRole("region", { name: "Logs" }).getByText("asked: Draft a reply").waitFor();
    await page.getByRole("region", { name: "Diff" }).waitFor();
    await page.getByRole("table", { name: "Attempts" }).getByText("completed").waitFor();
    expect(await inspect(page, "message")).toEqual([]);
  });

  test("failed messages are found and retried together", async () => {
    const { data: sessions } = await client.listSessions({ status: "idle" });
    const failing = await client.createSession(sessions[0]?.agent_id ?? "");
    await client.sendMessage(failing.id, { parts: [{ type: "text", text: "please fail" }] });
    await page.keyboard.press("g");
    await page.keyboard.press("x");
    await page.getByRole("table", { name: "Failed messages" }).getByText("as you wish").first().waitFor();
    expect(await inspect(page, "failed")).toEqual([]);
    await page.getByRole("button", { name: /^Retry \d/ }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Retry" }).click();
    await page
      .getByRole("status")
      .getByText(/[1-9]\d* sent again/)
      .waitFor();
  });

  test("a credential is stored without being shown; a key is shown once and revoked", async () => {
    await page.getByRole("link", { name: "Credentials" }).click();
    await page.getByRole("button", { name: "Store a credential" }).click();
    const form = page.getByRole("dialog");
    await form.getByRole("textbox", { name: "Name" }).fill("INTERNAL_API_TOKEN");
    await form.getByRole("textbox", { name: "Value", exact: true }).fill("a-secret-value");
    await form.getByLabel("Only for these hosts").fill("https://api.example.com/");
    await form.getByRole("button", { name: "Store" }).click();
    await form.getByRole("alert").getByText("expected a host").first().waitFor();
    await form.getByLabel("Only for these hosts").fill("api.example.com, *.example.com");
    expect(await inspect(page, "credential-new")).toEqual([]);
    await form.getByRole("button", { name: "Store" }).click();
    await page.getByText("a placeholder; the value goes to").waitFor();
    expect(await page.content()).not.toContain("a-secret-value");
    expect(await inspect(page, "credentials")).toEqual([]);
    const hostsOf = async () => (await client.listCredentials()).data.map(({ hosts }) => hosts);
    expect(await hostsOf()).toEqual([["api.example.com", "*.example.com"]]);
    // Hosts that were set after the page was loaded are kept.
    await client.putCredential("INTERNAL_API_TOKEN", { value: "another", hosts: ["later.example.com"] });
    await page.getByRole("button", { name: "Replace INTERNAL_API_TOKEN" }).click();
    await form.getByRole("textbox", { name: "Value", exact: true }).fill("a-newer-value");
    await form.getByRole("button", { name: "Store" }).click();
    await page.getByText("later.example.com").waitFor();
    expect(await hostsOf()).toEqual([["later.example.com"]]);
    await page.getByRole("button", { name: "Replace INTERNAL_API_TOKEN" }).click();
    await form.getByRole("textbox", { name: "Value", exact: true }).fill("-----BEGIN\nof two lines\n");
    await form.getByLabel("Only for these hosts").fill("");
    await form.getByRole("button", { name: "Store" }).click();
    await page.getByRole("cell", { name: "the value", exact: true }).waitFor();
    expect(await hostsOf()).toEqual([null]);
    await page.getByRole("link", { name: "API keys" }).click();
    await page.getByLabel("Label").fill("robot");
    await page.getByRole("button", { name: "Create" }).click();
    const secret = await page.getByRole("dialog").locator("code").innerText();
    expect(secret).toMatch(/^dari_/);
    expect(await inspect(page, "new-key")).toEqual([]);
    await page.getByRole("button", { name: "I have it" }).click();
    expect(await page.content()).not.toContain(secret);
    await page.getByRole("button", { name: "Revoke robot" }).click();
    await page.getByRole("button", { name: "Revoke it" }).click();
    await page.getByRole("button", { name: "Revoke robot" }).waitFor({ state: "detached" });
    await expect(createClient({ ...platform, apiKey: secret }).listAgents()).rejects.toMatchObject({ status: 401 });
  });

  test("operators see the fleet; the keys are listed; nothing broke the page's own rules", async () => {
    await page.keyboard.press("g");
    await page.keyboard.press("f");
    await page.getByRole("table", { name: "Workers" }).waitFor();
    await page.getByRole("table", { name: "Checks" }).waitFor();
    expect(await inspect(page, "fleet")).toEqual([]);
    // The page says that the connection is lost, and removes the message by itself.
    await page.route("**/v1/operator/fleet", (route) => route.abort());
    await page.getByRole("alert").waitFor();
    await page.unroute("**/v1/operator/fleet");
    await page.getByRole("alert").waitFor({ state: "detached" });
    await page.keyboard.press("?");
    await page.getByRole("dialog").getByText("next and previous row").waitFor();
    expect(await inspect(page, "keys")).toEqual([]);
    await page.keyboard.press("Escape");
    await page.getByRole("button", { name: "Sign out" }).click();
    await page.getByLabel("API key").waitFor();
    // The browser logs each refusal: of the wrong key, and of invalid times and hosts.
    expect(errors.filter((text) => !/401 \(Unauthorized\)|422 \(Unprocessable|ERR_FAILED/.test(text))).toEqual([]);
  });
});
