// Measures how a page feels, with the browser's own metrics: when something was drawn, what moved, how long an input
// took.

import { waitUntil } from "@dari/testkit";
import type { Page } from "playwright-core";

export interface Vitals {
  /** First contentful paint after the page was requested, in milliseconds. */
  readonly firstPaintMs: number;
  /** Paint of the largest text or picture so far, in milliseconds. */
  readonly largestPaintMs: number;
  /** Cumulative layout shift: how much of the page moved by itself, without a unit. */
  readonly shift: number;
  /** From the slowest input to the next paint, in multiples of 8 milliseconds; 0 if none took 16 or more. */
  readonly slowestInputMs: number;
}

const watch = `(() => {
  const vitals = { largestPaintMs: 0, shift: 0, slowestInputMs: 0 };
  const observe = (type, options, note) =>
    new PerformanceObserver((list) => list.getEntries().forEach(note)).observe({ type, buffered: true, ...options });
  observe("largest-contentful-paint", {}, (entry) => { vitals.largestPaintMs = entry.startTime; });
  observe("layout-shift", {}, (entry) => { if (!entry.hadRecentInput) vitals.shift += entry.value; });
  observe("event", { durationThreshold: 16 }, (entry) => {
    if (entry.interactionId > 0) vitals.slowestInputMs = Math.max(vitals.slowestInputMs, entry.duration);
  });
  window.__vitals = vitals;
})()`;

/** Measures every document that the page loads from now on. */
export async function watchVitals(page: Page): Promise<void> {
  await page.addInitScript({ content: watch });
}

/** Returns the vitals of the current page, after its first paint. */
export async function readVitals(page: Page): Promise<Vitals> {
  const read = `[performance.getEntriesByName("first-contentful-paint")[0]?.startTime, window.__vitals]`;
  const [firstPaintMs, vitals] = await waitUntil(
    async () => {
      const found = (await page.evaluate(read)) as [number | undefined, Omit<Vitals, "firstPaintMs">];
      return found[0] !== undefined && ([found[0], found[1]] as const);
    },
    { what: "the first paint" },
  );
  return { firstPaintMs, ...vitals };
}
