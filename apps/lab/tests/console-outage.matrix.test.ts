// The console in a real browser while the platform cannot be reached.

import { execFile } from "node:child_process";
import path from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { createClient, type Client } from "@dari/client";
import { describeWith, startFaultProxy } from "@dari/testkit";
import type { Browser } from "playwright-core";
import { inspect, openConsole, signIn, startBrowser } from "../src/browser.ts";
import { machineEnvironment } from "../src/config.ts";
import { deploy } from "../src/conversation.ts";
import { checkout } from "../src/program.ts";
import { openRendezvous, type Rendezvous } from "../src/rendezvous.ts";
import { startStandalone, type StandaloneProcess } from "../src/standalone-process.ts";
import { echoAgent } from "./console-fixtures.ts";

describeWith("chromium", "the console during an outage", ({ command }) => {
  let platform: StandaloneProcess;
  let meeting: Rendezvous;
  let browser: Browser;
  let client: Client;

  beforeAll(async () => {
    const build = [path.join(checkout, "scripts/run.mjs"), "console"];
    await promisify(execFile)(process.execPath, build, { cwd: checkout, env: machineEnvironment() });
    meeting = await openRendezvous();
    [platform, browser] = await Promise.all([startStandalone(), startBrowser(command)]);
    client = createClient(platform);
  }, 180_000);

  afterAll(async () => {
    await browser?.close();
    await platform?.[Symbol.asyncDispose]();
    await meeting?.[Symbol.asyncDispose]();
  }, 60_000);

  test("a session says that it reconnects while the platform is away, and continues without a reload", async () => {
    const slow = await deploy({ ...platform, client }, echoAgent("away", meeting.urlOf("away")));
    const { id } = await client.createSession(slow.agentId);
    await using proxy = await startFaultProxy({ port: Number(new URL(platform.apiUrl).port) });
    const { page: remote } = await openConsole(browser, `http://127.0.0.1:${proxy.port}`);
    await signIn(remote, platform.apiKey);
    await remote.getByRole("heading", { name: "Needs attention" }).waitFor();
    await remote.goto(`http://127.0.0.1:${proxy.port}/console/sessions/${id}`);
    await client.sendMessageAsync(id, { parts: [{ type: "text", text: "Hello" }] });
    const running = remote.getByRole("main").getByText("running", { exact: true });
    await remote.locator(".typing", { hasText: "You said:" }).waitFor();
    await running.waitFor();
    const cursor = (): Promise<unknown> =>
      remote.evaluate("getComputedStyle(document.querySelector('.typing'), '::after').content");
    expect(await cursor()).not.toBe('""');
    proxy.refuse();
    await remote.getByRole("status").getByText("Reconnecting").waitFor();
    await remote.locator("li.turn").getByText("reconnecting", { exact: true }).waitFor();
    expect([await running.count(), await cursor()]).toEqual([0, '""']);
    expect(await inspect(remote, "session-away")).toEqual([]);
    await remote.setViewportSize({ width: 390, height: 844 });
    expect(await inspect(remote, "session-away-narrow")).toEqual([]);
    meeting.open("away");
    proxy.forward();
    await remote.getByText("You said: Hello", { exact: true }).waitFor();
    await remote.getByText("Reconnecting").waitFor({ state: "detached" });
    await remote.context().close();
  });
});
