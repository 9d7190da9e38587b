// A headless browser on a platform's console: signs in, takes pictures, looks for what shuts people out.

import { mkdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import axe from "axe-core";
import { chromium, type Browser, type Page } from "playwright-core";
import { watchVitals } from "./vitals.ts";

export type Scheme = "light" | "dark";

export interface ConsolePage {
  readonly page: Page;
  /** What the page wrote to the browser's log as an error, such as a breach of its own policy. */
  readonly errors: readonly string[];
}

/** What axe found, as far as it keeps somebody out: `serious` and `critical`. */
export interface Finding {
  readonly rule: string;
  readonly says: string;
  readonly where: readonly string[];
}

/** Where pictures of pages, and their figures, are left. */
export const picturesDir = path.join(tmpdir(), "dari-console");
const grave = ["serious", "critical"];

/** `command`: a Chromium of this machine. */
export function startBrowser(command: string): Promise<Browser> {
  return chromium.launch({ executablePath: command });
}

/** The console at its sign-in page, in a browser profile of its own. */
export async function openConsole(browser: Browser, apiUrl: string): Promise<ConsolePage> {
  const context = await browser.newContext({ viewport: { width: 1360, height: 860 } });
  const page = await context.newPage();
  const errors: string[] = [];
  page.on("console", (message) => void (message.type() === "error" && errors.push(message.text())));
  page.on("pageerror", (error) => void errors.push(error.message));
  await watchVitals(page);
  await page.goto(`${apiUrl}/console`);
  return { page, errors };
}

/** Signs in on the page that asks for a key. */
export async function signIn(page: Page, apiKey: string): Promise<void> {
  await page.getByLabel("API key").fill(apiKey);
  await page.getByRole("button", { name: "Sign in" }).click();
}

/** Pictures of the page in both schemes, into a folder of the temporary directory; returns what axe finds in either. */
export async function inspect(page: Page, name: string): Promise<Finding[]> {
  await mkdir(picturesDir, { recursive: true });
  const findings: Finding[] = [];
  for (const scheme of ["light", "dark"] satisfies Scheme[]) {
    await page.emulateMedia({ colorScheme: scheme });
    await page.screenshot({ path: path.join(picturesDir, `${name}-${scheme}.png`) });
    findings.push(...(await examine(page)));
  }
  await page.emulateMedia({ colorScheme: "light" });
  return findings;
}

async function examine(page: Page): Promise<Finding[]> {
  await page.evaluate(axe.source);
  const { violations } = (await page.evaluate("axe.run()")) as axe.AxeResults;
  return violations
    .filter(({ impact }) => grave.includes(impact ?? ""))
    .map(({ id, help, nodes }) => ({ rule: id, says: help, where: nodes.map(({ target }) => target.join(" ")) }));
}
