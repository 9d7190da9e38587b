// A headless browser on a platform's console: signs in, takes pictures, checks accessibility.

import { mkdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import axe from "axe-core";
import { chromium, type Browser, type Page } from "playwright-core";
import { watchVitals } from "./vitals.ts";

export type Scheme = "light" | "dark";

export interface ConsolePage {
  readonly page: Page;
  /** Errors in the browser's log, such as a violation of the page's own policy. */
  readonly errors: readonly string[];
}

/** A finding of axe with the impact `serious` or `critical`. */
export interface Finding {
  readonly rule: string;
  readonly says: string;
  readonly where: readonly string[];
}

/** Where pictures of pages and their figures are stored. */
export const picturesDir = path.join(tmpdir(), "dari-console");
const reportedImpacts = ["serious", "critical"];

/** `command`: a Chromium of this machine. */
export function startBrowser(command: string): Promise<Browser> {
  return chromium.launch({ executablePath: command });
}

/** Opens the console's sign-in page in a new browser profile. */
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

/** Takes pictures of the page in both color schemes, in a temporary folder. Returns axe's findings in both. */
export async function inspect(page: Page, name: string): Promise<Finding[]> {
  await mkdir(picturesDir, { recursive: true });
  const findings: Finding[] = [];
  for (const scheme of ["light", "dark"] satisfies Scheme[]) {
    await page.emulateMedia({ colorScheme: scheme });
    await page.screenshot({ path: path.join(picturesDir, `${name}-${scheme}.png`) });
    findings.push(...(await examine(page, scheme)));
  }
  await page.emulateMedia({ colorScheme: "light" });
  return findings;
}

/** Only colors depend on the scheme, so the rest is examined in one of them. */
async function examine(page: Page, scheme: Scheme): Promise<Finding[]> {
  if (scheme === "light") await page.evaluate(axe.source);
  const options: axe.RunOptions = scheme === "light" ? {} : { runOnly: ["color-contrast"] };
  const { violations } = (await page.evaluate(`axe.run(${JSON.stringify(options)})`)) as axe.AxeResults;
  return violations
    .filter(({ impact }) => reportedImpacts.includes(impact ?? ""))
    .map(({ id, help, nodes }) => ({ rule: id, says: help, where: nodes.map(({ target }) => target.join(" ")) }));
}
