// Fills a platform with hundreds of sessions, opens every page of the console in a headless Chromium, and measures it.
//
//   npm run lab -- console/tour [--pictures DIR] [--data DIR] [--sessions 500] [--agents 20] [--updates 12]
//     [--only NAME] [--smoke]
//
// --pictures: where each page's pictures are stored: light and dark at 1360 pixels, light at 390 (default: dari-console
// in the temporary directory). --data: keeps the filled platform there, and uses it again. --updates: changes whose
// display is measured, on each of three pages. --only: only pages whose name contains this, and no measurements.
// --smoke: 40 sessions of 4 agents.
//
// Fails if the first visit loads more than 150 kB of scripts or is not drawn within 2 s, if a new message or the
// progress of a batch is shown more than 1 s after its commit, if the browser logs an error, if a page is wider than
// its window, or if the palette does not find the oldest session.

import { mkdir, readFile, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import path from "node:path";
import { createClient } from "@dari/client";
import { findChromium } from "@dari/testkit";
import type { Page } from "playwright-core";
import { gate, report, type Gate } from "../bench/verdict.ts";
import { summarizeSpread } from "../bench/statistics.ts";
import { openConsole, picturesDir, signIn, startBrowser } from "../browser.ts";
import { programEnvironment } from "../config.ts";
import { readFlags } from "../flags.ts";
import { openRendezvous } from "../rendezvous.ts";
import { startStandalone } from "../standalone-process.ts";
import { buildConsole } from "../user-start.ts";
import { fillPlatform, oldestName, type Filled } from "./fill.ts";
import { findOverflow, open, takePicture, views } from "./look.ts";
import { measureFirstVisit, measureMessages, measureProgress } from "./measure.ts";
import { listPlaces, type Place } from "./places.ts";
import { startResearch } from "./research.ts";
import { startRunningBatch } from "./running-batch.ts";

const flags = readFlags({
  pictures: { type: "string", default: picturesDir },
  data: { type: "string" },
  sessions: { type: "string", default: "500" },
  agents: { type: "string", default: "20" },
  updates: { type: "string", default: "12" },
  only: { type: "string" },
  smoke: { type: "boolean", default: false },
});
const { smoke, pictures, data, only } = flags.values;
const parameters = {
  sessions: smoke ? 40 : flags.whole("sessions"),
  agents: smoke ? 4 : flags.whole("agents"),
  updates: smoke ? 3 : flags.whole("updates"),
};
const budgets = { scriptBytes: 150_000, firstPaintMs: 2_000, updateMs: 1_000 };
const batchSize = 60;

const chromium = findChromium(programEnvironment()["PATH"] ?? "");
if (chromium === undefined) flags.refuse("there is no Chromium on the PATH: apt-get install chromium");
const say = (text: string): void => void process.stderr.write(`${text}\n`);

await using stack = new AsyncDisposableStack();
await mkdir(pictures, { recursive: true });
await buildConsole();
const receiver = createServer((_request, response) => void response.writeHead(200).end("thank you"));
receiver.listen(0, "127.0.0.1");
await once(receiver, "listening");
stack.defer(() => void receiver.close());
const receiverUrl = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}`;
const meeting = stack.use(await openRendezvous());
if (data !== undefined) await mkdir(data, { recursive: true });
const standalone = stack.use(
  await startStandalone({ DARI_WEBHOOK_ALLOW: new URL(receiverUrl).host, DARI_WORKER_SLOTS: "4" }, data),
);
const platform = { ...standalone, client: createClient(standalone) };
const filled = await readOrFill();
const batch = await startRunningBatch(platform, meeting, {
  ...{ agentId: filled.agentIds[2] ?? "", total: batchSize, done: Math.round(batchSize * 0.6) },
});
const research = await startResearch(platform, meeting);

const browser = await startBrowser(chromium ?? "");
stack.defer(() => browser.close());
const { page, errors } = await openConsole(browser, platform.apiUrl);
await signIn(page, platform.apiKey);
await page.getByRole("heading", { name: "Overview" }).waitFor();
const knownErrors = errors.length;
const places = listPlaces(filled, batch.id, research).filter(({ name }) => only === undefined || name.includes(only));
const overflow = await lookAtAll(places);
const logged = errors.slice(knownErrors);
for (const line of [...overflow, ...logged]) say(line);
const gates: Gate[] = [
  gate("pages wider than their window", overflow.length, 0),
  gate("errors in the browser's log", logged.length, 0),
];
const measured = only === undefined ? await measureAll() : {};
report({
  name: "console-tour",
  program: "console/tour",
  parameters: { ...parameters, pages: places.length },
  result: measured,
  gates,
  smoke,
});
process.stderr.write(`The pictures are in ${pictures}\n`);

async function readOrFill(): Promise<Filled> {
  const file = data === undefined ? undefined : path.join(data, "tour.json");
  if (file !== undefined) {
    const known = await readFile(file, "utf8").catch(() => undefined);
    if (known !== undefined) return JSON.parse(known) as Filled;
  }
  const startedAt = performance.now();
  const made = await fillPlatform({ ...platform, ...parameters, receiverUrl });
  say(`filled with ${parameters.sessions} sessions in ${Math.round((performance.now() - startedAt) / 1_000)} s`);
  if (file !== undefined) await writeFile(file, JSON.stringify(made));
  return made;
}

/** Returns a line for each page that is wider than its window. */
async function lookAtAll(all: readonly Place[]): Promise<readonly string[]> {
  const tooWide: string[] = [];
  for (const { name: view, scheme, width, height } of views) {
    await page.setViewportSize({ width, height });
    await page.emulateMedia({ colorScheme: scheme });
    for (const place of all) {
      if (place.isNarrow === true && view !== "narrow") continue;
      await open(page, platform.apiUrl, place);
      await takePicture(page, pictures, `${place.name}-${view}`);
      const found = view === "dark" ? [] : await findOverflow(page);
      if (found.length > 0) tooWide.push(`${place.name}, ${width} px: ${found.join("; ")}`);
    }
  }
  return tooWide;
}

async function measureAll() {
  await page.setViewportSize({ width: 1360, height: 860 });
  const cookies = await page.context().cookies();
  const visit = async (place: string) => measureFirstVisit(browser, `${platform.apiUrl}/console${place}`, cookies);
  const visits = {
    overview: await visit("/overview"),
    agents: await visit("/agents"),
    sessions: await visit("/sessions"),
    talk: await visit(`/sessions/${filled.talk}`),
    research: await visit(`/sessions/${research.session}`),
  };
  const { client } = platform;
  const go = (place: string): Promise<void> =>
    open(page, platform.apiUrl, { name: place, address: `/console${place}` });
  const newSession = async (): Promise<string> => (await client.createSession(filled.agentIds[0] ?? "")).id;
  await go("/sessions");
  const inList = await measureMessages(page, client, newSession, parameters.updates);
  await go(`/sessions/${filled.empty}`);
  const inSession = await measureMessages(page, client, () => Promise.resolve(filled.empty), parameters.updates);
  await go(`/batches/${batch.id}`);
  const ofBatch = await measureProgress(page, batch, parameters.updates);
  const paletteMs = await findOldest(page);
  const all = Object.values(visits);
  gates.push(
    gate(
      "bytes of scripts of a first visit",
      Math.max(...all.map(({ scriptBytes }) => scriptBytes)),
      budgets.scriptBytes,
    ),
    gate("first paint, ms", Math.max(...all.map(({ firstPaintMs }) => firstPaintMs)), budgets.firstPaintMs),
    gate("a message in the list of sessions, ms", Math.max(...inList), budgets.updateMs),
    gate("a message in its session, ms", Math.max(...inSession), budgets.updateMs),
    gate("the progress of a batch, ms", Math.max(...ofBatch), budgets.updateMs),
  );
  return {
    first_visits: visits,
    message_in_list_ms: summarizeSpread(inList),
    message_in_session_ms: summarizeSpread(inSession),
    batch_progress_ms: summarizeSpread(ofBatch),
    oldest_session_in_palette_ms: Math.round(paletteMs),
  };
}

/** Throws if the palette does not find the oldest session. Returns how long it took. */
async function findOldest(on: Page): Promise<number> {
  await on.keyboard.press("Control+k");
  const field = on.getByRole("combobox", { name: "Page, agent, session or action" });
  await field.waitFor();
  const startedAt = performance.now();
  await field.fill(oldestName);
  await on.getByRole("option", { name: new RegExp(`^${oldestName}`) }).waitFor();
  return performance.now() - startedAt;
}
