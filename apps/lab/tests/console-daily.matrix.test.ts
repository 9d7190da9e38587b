// What a person does in the console every day, in a real browser.

import { execFile } from "node:child_process";
import path from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { createClient, type Client } from "@dari/client";
import { describeWith } from "@dari/testkit";
import type { Browser } from "playwright-core";
import { openConsole, signIn, startBrowser } from "../src/browser.ts";
import { machineEnvironment } from "../src/config.ts";
import { checkout } from "../src/program.ts";
import { startStandalone, type StandaloneProcess } from "../src/standalone-process.ts";

describeWith("chromium", "the console every day", ({ command }) => {
  let platform: StandaloneProcess;
  let browser: Browser;
  let client: Client;

  beforeAll(async () => {
    const build = [path.join(checkout, "scripts/run.mjs"), "console"];
    await promisify(execFile)(process.execPath, build, { cwd: checkout, env: machineEnvironment() });
    [platform, browser] = await Promise.all([startStandalone(), startBrowser(command)]);
    client = createClient(platform);
  }, 180_000);

  afterAll(async () => {
    await browser?.close();
    await platform?.[Symbol.asyncDispose]();
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
});
