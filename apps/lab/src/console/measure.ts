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
  /** Paint of the largest text or picture, which needs the page's data. */
  readonly largestPaintMs: number;
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
    const { firstPaintMs, largestPaintMs } = await readVitals(page);
    const loaded = (await page.evaluate(
      `performance.getEntriesByType("resource").map(({ name, encodedBodySize }) => ({ name, bytes: encodedBodySize }))`,
    )) as { name: string; bytes: number }[];
    const sumOf = (ending: string): number =>
      loaded.filter(({ name }) => name.endsWith(ending)).reduce((sum, { bytes }) => sum + bytes, 0);
    return { scriptBytes: sumOf(".js"), styleBytes: sumOf(".css"), firstPaintMs, largestPaintMs };
  } finally {
    await context.close();
  }
}

/** A display that takes longer ends the program. Milliseconds. */
const shownWithinMs = 30_000;

/** Resolves with the browser's time when the expression first holds, checked at every frame. */
function shownAt(page: Page, expression: string): Promise<number> {
  // The page's own policy forbids page.waitForFunction to evaluate texts.
  const shown = `new Promise((resolve, reject) => {
    const startedAt = Date.now();
    const look = () => {
      if (${expression}) resolve(Date.now());
      else if (Date.now() - startedAt > ${shownWithinMs}) reject(new Error("the change is not shown"));
      else requestAnimationFrame(look);
    };
    look();
  })`;
  const found = page.evaluate(shown).then(Number);
  // Its caller awaits it later. Until then, a failure must not end the program before it has stopped the platform.
  found.catch(() => undefined);
  return found;
}

/**
 * Sends messages to the sessions that `sessionOf` returns. A list shows a session's first message and its newest answer
 * only, so it needs a new session each time. Returns how long each took from its acceptance to its display, in
 * milliseconds.
 */
export async function measureMessages(
  page: Page,
  client: Client,
  sessionOf: () => Promise<string>,
  count: number,
): Promise<number[]> {
  const delays: number[] = [];
  for (let n = 0; n < count; n += 1) {
    const text = `Shown ${page.url().length}-${n}-${Date.now()}`;
    const sessionId = await sessionOf();
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
