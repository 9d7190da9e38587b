// Opens a page as a person would, takes its picture, and finds what hangs out of it.

import path from "node:path";
import { waitUntil } from "@dari/testkit";
import type { Page } from "playwright-core";
import type { Place } from "./places.ts";

export interface View {
  readonly name: "light" | "dark" | "narrow";
  readonly scheme: "light" | "dark";
  readonly width: number;
  readonly height: number;
}

export const views: readonly View[] = [
  { name: "light", scheme: "light", width: 1360, height: 860 },
  { name: "dark", scheme: "dark", width: 1360, height: 860 },
  { name: "narrow", scheme: "light", width: 390, height: 844 },
];

/** A picture shows at most so much of a long page. */
const pictureHeightMax = 2_400;

/** Opens the place and waits until everything on it is drawn. */
export async function open(page: Page, apiUrl: string, { address, prepare }: Place): Promise<void> {
  await page.goto(apiUrl + address);
  await untilDrawn(page);
  await prepare?.(page);
  await untilDrawn(page);
}

async function untilDrawn(page: Page): Promise<void> {
  await page.getByRole("heading", { level: 1 }).first().waitFor();
  await waitUntil(async () => (await page.locator(".loading").count()) === 0, { what: `all of ${page.url()}` });
  await page.evaluate("new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)))");
}

/** Makes the window as high as the page, so that what sticks to its edges is where it belongs. */
export async function takePicture(page: Page, folder: string, name: string): Promise<void> {
  const window = page.viewportSize() ?? { width: 0, height: 0 };
  const full = Number(await page.evaluate("document.documentElement.scrollHeight"));
  await page.setViewportSize({ ...window, height: Math.min(Math.max(full, window.height), pictureHeightMax) });
  await page.evaluate("scrollTo(0, 0)");
  await page.screenshot({ path: path.join(folder, `${name}.png`) });
  await page.setViewportSize(window);
}

/**
 * Returns what makes the page wider than its window, or is cut at its edge: the page, its main part, and elements. What
 * scrolls in a box of its own is left out.
 */
export async function findOverflow(page: Page): Promise<readonly string[]> {
  return (await page.evaluate(`(() => {
    const wide = innerWidth + 1;
    const found = [];
    for (const selector of ["html", "main", "dialog[open]"]) {
      const box = document.querySelector(selector);
      if (box !== null && box.scrollWidth > box.clientWidth + 1) found.push(selector + ": " + box.scrollWidth + " px");
    }
    const isInBox = (element) => {
      for (let box = element.parentElement; box !== null && box.tagName !== "MAIN"; box = box.parentElement) {
        if (getComputedStyle(box).overflowX !== "visible") return true;
      }
      return false;
    };
    for (const element of document.querySelectorAll("body *")) {
      const { left, right, width } = element.getBoundingClientRect();
      if (getComputedStyle(element).visibility === "hidden") continue;
      if (width === 0 || (right <= wide && left >= -1) || isInBox(element)) continue;
      if (element.matches(".skip, .unsaid, .unsaid *, dialog:not([open]) *")) continue;
      found.push(element.tagName.toLowerCase() + "." + element.className + " ends at " + Math.round(right) + " px");
    }
    return found.slice(0, 4);
  })()`)) as string[];
}
