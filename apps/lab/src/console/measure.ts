// Measures the console: what the first visit loads, when it is drawn, and how soon a change is shown.

import type { Client } from "@dari/client";
import { waitUntil } from "@dari/testkit";
import type { Browser, Cookie, Page } from "playwright-core";
import { textPart } from "../conversation.ts";
import { readVitals, watchVitals } from "../vitals.ts";
import type { RunningBatch } from "./running-batch.ts";

export interface FirstVisit {
  /** Scripts as they are sent: compressed. */
  readonly scriptBytes: number;
  readonly styleBytes: number;
  readonly firstPaintMs: number;
}

/** Opens an address with an empty cache. */
export async function measureFirstVisit(
  browser: Browser,
  address: string,
  cookies: readonly Cookie[],
): Promise<FirstVisit> {
  const context = await browser.newContext({ viewport: { width: 1360, height: 860 } });
  try {
    await context.addCookies([...cookies]);
    const page = await context.newPage();
    await watchVitals(page);
    await page.goto(address);
    await page.getByRole("heading", { level: 1 }).waitFor();
    await waitUntil(async () => (await page.locator(".loading").count()) === 0, { what: `all of ${address}` });
    const { firstPaintMs } = await readVitals(page);
    const loaded = (await page.evaluate(
      `performance.getEntriesByType("resource").map(({ name, encodedBodySize }) => ({ name, bytes: encodedBodySize }))`,
    )) as { name: string; bytes: number }[];
    const sumOf = (ending: string): number =>
      loaded.filter(({ name }) => name.endsWith(ending)).reduce((sum, { bytes }) => sum + bytes, 0);
    return { scriptBytes: sumOf(".js"), styleBytes: sumOf(".css"), firstPaintMs };
  } finally {
    await context.close();
  }
}

/** Resolves with the browser's time when the expression first holds, checked at every frame. */
async function shownAt(page: Page, expression: string): Promise<number> {
  const handle = await page.waitForFunction(`(${expression}) ? Date.now() : 0`, undefined, {
    polling: "raf",
    timeout: 30_000,
  });
  return Number(await handle.jsonValue());
}

/** Sends messages to a session. Returns how long each took from its acceptance to its display, in milliseconds. */
export async function measureMessages(page: Page, client: Client, sessionId: string, count: number): Promise<number[]> {
  const delays: number[] = [];
  for (let n = 0; n < count; n += 1) {
    const text = `Shown ${page.url().length}-${n}-${Date.now()}`;
    const shown = shownAt(page, `document.querySelector("main").innerText.includes(${JSON.stringify(text)})`);
    // The phase of the page's own clock must not repeat.
    await page.waitForTimeout((n * 137) % 700);
    const { id, created_at: acceptedAt } = await client.sendMessageAsync(sessionId, { parts: [textPart(text)] });
    delays.push((await shown) - Date.parse(acceptedAt));
    await client.waitForMessage(id);
  }
  return delays;
}

/** Lets items of the batch end. Returns how long each took from its end to the page's progress, in milliseconds. */
export async function measureProgress(page: Page, batch: RunningBatch, count: number): Promise<number[]> {
  const delays: number[] = [];
  const progress = `Number(document.querySelector('[role="progressbar"]').getAttribute("aria-valuenow"))`;
  for (let n = 0; n < count; n += 1) {
    const before = Number(await page.evaluate(progress));
    const shown = shownAt(page, `${progress} > ${before}`);
    await page.waitForTimeout((n * 137) % 700);
    const endedAt = await batch.endNext();
    delays.push((await shown) - endedAt);
  }
  return delays;
}
