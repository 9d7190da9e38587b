// The chat app of the examples, as its README says, in a real browser against a platform.

import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { cp, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { createClient, type Client } from "@dari/client";
import { freePort } from "@dari/embedded";
import { describeWith, waitUntil } from "@dari/testkit";
import type { Browser, Page } from "playwright-core";
import { inspect, startBrowser } from "../src/browser.ts";
import { machineEnvironment } from "../src/config.ts";
import { deployFiles } from "../src/deploy-files.ts";
import { checkout } from "../src/program.ts";
import { runOrThrow } from "../src/python-environment.ts";
import { openRendezvous, type Rendezvous } from "../src/rendezvous.ts";
import { startStandalone, type StandaloneProcess } from "../src/standalone-process.ts";

const example = join(checkout, "examples/chat-app");
const tokenSeconds = 60;
const timeoutMs = 120_000;

describeWith("chromium", "the chat app", ({ command }) => {
  let dir: string;
  let platform: StandaloneProcess;
  let meeting: Rendezvous;
  let browser: Browser;
  let client: Client;
  let server: ChildProcess;
  let port: number;
  /** What pages threw and did not catch. */
  const crashes: string[] = [];

  /** The example's agent, which waits in the middle of its answer to `hold <point>` for the test. */
  async function readAgent(): Promise<Record<string, string>> {
    const manifest = await readFile(join(example, "agent/dari.yml"), "utf8");
    const source = await readFile(join(example, "agent/src/agent.ts"), "utf8");
    const pause = /^ +await new Promise.*\n/m;
    expect(source).toMatch(pause);
    const held = `    if (piece.startsWith("point-")) await fetch(process.env.MEETING + piece.trim());\n`;
    return {
      "dari.yml": `${manifest}env:\n  MEETING: ${meeting.urlOf("")}\n`,
      "src/agent.ts": source.replace(pause, held),
    };
  }

  beforeAll(async () => {
    meeting = await openRendezvous();
    [platform, browser] = await Promise.all([startStandalone(), startBrowser(command)]);
    client = createClient(platform);
    await deployFiles(platform, await readAgent());
    dir = await mkdtemp(join(tmpdir(), "dari-chat-app-"));
    const isOwn = (source: string) => !/\/(node_modules|dist)$/.test(source);
    await cp(example, dir, { recursive: true, filter: isOwn });
    const install = ["install", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error", "--prefer-offline"];
    await runOrThrow("npm", install, { cwd: dir });
    await runOrThrow("npm", ["run", "check"], { cwd: dir });
    await runOrThrow(join(dir, "node_modules/.bin/vite"), ["build"], { cwd: dir });
    port = await freePort();
    const { apiUrl, apiKey } = platform;
    const own = { DARI_API_URL: apiUrl, DARI_API_KEY: apiKey, PORT: String(port), TOKEN_SECONDS: String(tokenSeconds) };
    server = spawn(process.execPath, ["server.ts"], { cwd: dir, env: { ...machineEnvironment(), ...own } });
    await once(server.stdout!, "data");
    await client.putAllowedOrigins({ origins: [`http://localhost:${port}`] });
  }, 600_000);

  afterAll(async () => {
    server?.kill();
    await browser?.close();
    await platform?.[Symbol.asyncDispose]();
    await meeting?.[Symbol.asyncDispose]();
    if (dir !== undefined) await rm(dir, { recursive: true, force: true });
    expect(crashes).toEqual([]);
  }, 300_000);

  /** Opens the page for a person, in a browser profile of its own. */
  async function signIn(name: string, host = "localhost"): Promise<Page> {
    const page = await (await browser.newContext({ viewport: { width: 1200, height: 800 } })).newPage();
    page.setDefaultTimeout(60_000);
    page.on("pageerror", ({ stack }) => void crashes.push(String(stack)));
    await page.goto(`http://${host}:${port}`);
    await page.getByLabel("Your name").fill(name);
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByLabel("Message").waitFor();
    return page;
  }
  async function openTab(page: Page): Promise<Page> {
    const tab = await page.context().newPage();
    tab.setDefaultTimeout(60_000);
    await tab.goto(`http://localhost:${port}`);
    await tab.getByLabel("Message").waitFor();
    return tab;
  }
  async function say(page: Page, text: string): Promise<void> {
    await page.getByLabel("Message").fill(text);
    await page.getByLabel("Message").press("Enter");
  }
  const answers = (page: Page) => page.locator("li.assistant").allInnerTexts();
  const expectAnswers = (page: Page, isReached: (texts: string[]) => boolean, what: string) =>
    waitUntil(async () => isReached(await answers(page)), { what, timeoutMs }).catch(async (cause: unknown) => {
      const shown = await page.locator("body").innerText();
      throw new Error(`${what} did not come: ${shown} ${crashes.join("\n")}`, { cause });
    });
  async function sessionOf(user: string): Promise<string> {
    const [session] = (await client.listSessions({ "metadata.chat_user": user } as never)).data;
    return session?.id ?? "";
  }
  const whole = (point: string) => `You said: hold ${point} now`;
  /** Sends a message whose answer stops in its middle. */
  async function hold(page: Page, point: string): Promise<void> {
    await say(page, `hold ${point} now`);
    await meeting.arrived(point);
    await expectAnswers(page, (texts) => texts.at(-1)?.includes("You said: hold") === true, "the first half");
  }

  test("uploads a file, shows the call, and lists and saves what the agent wrote", async () => {
    const page = await signIn("Ann");
    const file = { name: "notes.txt", mimeType: "text/plain", buffer: Buffer.from("three short words") };
    await page.locator("input[type=file]").setInputFiles(file);
    await say(page, "Count these");
    await page.getByText("/input/notes.txt: 3 words").waitFor();
    await page.getByText("✓ count_words").click();
    const [saved] = await Promise.all([
      page.waitForEvent("download"),
      page.getByRole("button", { name: "output/report.md" }).click(),
    ]);
    expect(await readFile(await saved.path(), "utf8")).toContain("notes.txt: 3 words");
    await say(page, "Please publish it");
    await page.getByRole("button", { name: "Approve" }).waitFor();
    expect(await inspect(page, "chat-app")).toEqual([]);
    await page.setViewportSize({ width: 390, height: 844 });
    expect(await inspect(page, "chat-app-narrow")).toEqual([]);
    expect(await page.evaluate("document.documentElement.scrollWidth")).toBe(390);
    const { metadata } = (await client.listMessages(await sessionOf("ann"))).data[0] ?? {};
    expect(metadata).toEqual({ session_token_id: expect.any(String), end_user_id: "ann", end_user_name: "Ann" });
    await page.context().close();
  }, 300_000);

  test("an approval survives a reload, and another tab sees the decision", async () => {
    const page = await signIn("Bob");
    await say(page, "publish");
    await page.getByRole("button", { name: "Approve" }).waitFor();
    const tab = await openTab(page);
    await page.reload();
    await page.getByRole("button", { name: "Approve" }).click();
    await page.getByText("The report is published.").waitFor();
    await tab.getByRole("button", { name: "Approve" }).waitFor();
    await tab.evaluate(`document.dispatchEvent(new Event("visibilitychange"))`);
    await tab.getByText("The report is published.").waitFor();
    for (const one of [page, tab]) expect(await one.locator("li").filter({ hasText: "publish" }).count()).toBe(2);
    await page.context().close();
  }, 300_000);

  test("a reload in the middle of an answer, and a second tab, show the whole answer once", async () => {
    const page = await signIn("Cid");
    await hold(page, "point-reload");
    const tab = await openTab(page);
    await page.reload();
    await page.getByRole("button", { name: "Stop" }).waitFor();
    meeting.open("point-reload");
    for (const one of [page, tab]) {
      const isOnce = (texts: string[]) => texts.length === 1 && texts[0]!.split(whole("point-reload")).length === 2;
      await expectAnswers(one, isOnce, "the answer");
      await one.getByRole("button", { name: "Send" }).waitFor();
    }
    await page.reload();
    await expectAnswers(page, (texts) => texts.length === 1 && texts[0]!.startsWith(whole("point-reload")), "it again");
    await page.context().close();
  }, 300_000);

  test("Enter twice during an upload sends one message, also for a name outside of Latin-1", async () => {
    const page = await signIn("Łukasz 李");
    let release = (): void => undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    let uploads = 0;
    await page.route("**/v1/files", async (route) => {
      uploads += 1;
      await held;
      await route.continue();
    });
    await page
      .locator("input[type=file]")
      .setInputFiles({ name: "a.txt", mimeType: "text/plain", buffer: Buffer.from("x") });
    await say(page, "count");
    await page.getByLabel("Message").press("Enter");
    release();
    await page.getByText("/input/a.txt: 1 words").waitFor();
    expect([uploads, (await client.listMessages(await sessionOf("łukasz 李"))).data.length]).toEqual([1, 1]);
    await page.context().close();
  }, 300_000);

  test("a person whose session was completed or deleted gets a new one, and an invalid name is refused", async () => {
    const page = await signIn("Ivy");
    const seen = new Set([await sessionOf("ivy")]);
    for (const end of [
      () => client.completeSession([...seen].at(-1)!),
      () => client.deleteSession([...seen].at(-1)!),
    ]) {
      await end();
      await page.reload();
      await say(page, "again");
      await expectAnswers(page, (texts) => texts.length === 1, "the answer in the new session");
      await page.getByRole("button", { name: "Send" }).waitFor();
      seen.add(await sessionOf("ivy"));
    }
    expect(seen.size).toBe(3);
    await client.deleteSession([...seen].at(-1)!);
    await page.reload();
    await page.getByLabel("Message").waitFor();
    await page.context().close();
    const url = `http://localhost:${port}/api/sign-in`;
    const signInWith = async (type: string, body: string) =>
      (await fetch(url, { method: "POST", headers: { "content-type": type }, body })).status;
    expect(await signInWith("text/plain", `{"name":"x"}`)).toBe(415);
    for (const name of ["", " ", "x".repeat(101), 7]) {
      expect([name, await signInWith("application/json", JSON.stringify({ name }))]).toEqual([name, 422]);
    }
    expect(await signInWith("application/json", JSON.stringify({ name: "x".repeat(20_000) }))).toBe(413);
  }, 300_000);

  test("of more than 1,000 sign-ins, the oldest ends", async () => {
    const call = (path: string, headers: Record<string, string>, body?: string) =>
      fetch(`http://localhost:${port}/api/${path}`, { method: "POST", headers, ...(body !== undefined && { body }) });
    const cookies: string[] = [];
    for (let each = 0; each < 1_001; each++) {
      const reply = await call("sign-in", { "content-type": "application/json" }, `{"name":"Zoe"}`);
      cookies.push(String(reply.headers.get("set-cookie")).split(";")[0]!);
    }
    const statuses = [cookies[0]!, cookies[1]!].map(async (cookie) => (await call("token", { cookie })).status);
    expect(await Promise.all(statuses)).toEqual([401, 200]);
  }, 300_000);

  test("a turn is stopped, and the session goes on", async () => {
    const page = await signIn("Dan");
    await hold(page, "point-never");
    await page.getByRole("button", { name: "Stop" }).click();
    await page.getByText("Stopped.").waitFor();
    await say(page, "go on");
    await expectAnswers(page, (texts) => texts.at(-1)?.startsWith("You said: go on") === true, "the next answer");
    await page.context().close();
  }, 300_000);

  test("a turn that is stopped before the platform has accepted its message ends, too", async () => {
    const page = await signIn("Jan");
    let release = (): void => undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    await page.route("**/ai-sdk", async (route) => {
      await held;
      await route.continue();
    });
    await say(page, "hold point-early now");
    await page.getByRole("button", { name: "Stop" }).click();
    release();
    await page.getByText("Stopped.").waitFor();
    const [sent] = (await client.listMessages(await sessionOf("jan"))).data;
    expect(sent).toMatchObject({ status: "cancelled" });
    await page.context().close();
  }, 300_000);

  test("an answer goes on with a new token when the first one expires in its middle", async () => {
    const page = await signIn("Eve");
    let tokens = 0;
    page.on("request", (request) => void (tokens += request.url().endsWith("/api/token") ? 1 : 0));
    await hold(page, "point-expiry");
    await waitUntil(() => tokens > 0, { what: "the first token to expire", timeoutMs: (tokenSeconds + 30) * 1_000 });
    await page.getByRole("button", { name: "Stop" }).waitFor();
    meeting.open("point-expiry");
    await expectAnswers(
      page,
      (texts) => texts.length === 1 && texts[0]!.startsWith(whole("point-expiry")),
      "the answer",
    );
    expect(tokens).toBe(1);
    await page.context().close();
  }, 300_000);

  test("a page that sleeps for a minute shows what happened meanwhile", async () => {
    const page = await signIn("Fay");
    await hold(page, "point-sleep");
    const devtools = await page.context().newCDPSession(page);
    await devtools.send("Page.setWebLifecycleState", { state: "frozen" });
    const sleptAt = performance.now();
    meeting.open("point-sleep");
    const messages = async () => (await client.listMessages(await sessionOf("fay"))).data;
    await waitUntil(async () => (await messages())[0]?.status === "completed", { what: "the turn's end", timeoutMs });
    await waitUntil(() => performance.now() - sleptAt > tokenSeconds * 1_000, {
      what: "a minute",
      timeoutMs: 90_000,
    });
    await devtools.send("Page.setWebLifecycleState", { state: "active" });
    await expectAnswers(
      page,
      (texts) => texts.length === 1 && texts[0]!.startsWith(whole("point-sleep")),
      "the answer",
    );
    await say(page, "awake");
    await expectAnswers(page, (texts) => texts.at(-1)?.startsWith("You said: awake") === true, "the next answer");
    await page.context().close();
  }, 400_000);

  test("its token opens no other session, and a page of another origin gets nothing", async () => {
    const page = await signIn("Gus");
    await say(page, "mine");
    await expectAnswers(page, (texts) => texts.length === 1, "the answer");
    const other = await sessionOf("ann");
    const look = `fetch("/api/token", { method: "POST" }).then((reply) => reply.json()).then(({ apiUrl, token }) =>
      fetch(apiUrl + "/v1/sessions/${other}/ai-sdk/messages", { headers: { authorization: "Bearer " + token } }))
      .then(async (reply) => [reply.status, (await reply.json()).detail])`;
    expect(await page.evaluate(look)).toEqual([403, expect.stringContaining("for another session")]);
    await page.context().close();
    const foreign = await signIn("Hal", "127.0.0.1");
    await say(foreign, "hello");
    await foreign.getByText("does it allow pages of").first().waitFor();
    expect(await foreign.locator("li.assistant").count()).toBe(0);
    expect((await client.listMessages(await sessionOf("hal"))).data).toEqual([]);
    await foreign.context().close();
  }, 300_000);
});
