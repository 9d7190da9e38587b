// The number of waiting turns is the same in the queue board, the Fleet page, /metrics, the doctor and SQL under load.

import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { createClient, type Client } from "@dari/client";
import { createTestOrganization, describeWith, isNightly, waitUntil } from "@dari/testkit";
import type { Browser, Page } from "playwright-core";
import { picturesDir, signIn, startBrowser } from "../src/browser.ts";
import { deploy } from "../src/conversation.ts";
import { startFleet, type Fleet } from "../src/fleet.ts";
import { openRendezvous, type Rendezvous } from "../src/rendezvous.ts";
import { playScript, scriptAgent, start } from "../src/script.ts";

const slots = 2;
const perOrganization = 16;

interface BoardJob {
  readonly id: string;
  readonly name: string;
  readonly data: { readonly organizationId: string; readonly messageId: string };
  readonly stacktrace: readonly string[];
  readonly externalUrl: { readonly href: string };
}
interface BoardQueue {
  readonly counts: Readonly<Record<string, number>>;
  readonly jobs: readonly BoardJob[];
  readonly pagination: { readonly pageCount: number };
  readonly statuses: readonly string[];
}

describeWith("redis", "turns that wait", ({ url: redisUrl }) => {
  let fleet: Fleet;
  let meeting: Rendezvous;
  let operator: { readonly organizationId: string; readonly apiKey: string; readonly client: Client };

  const board = async (query: string): Promise<BoardQueue> => {
    const path = `/ops/queues/api/queues?activeQueue=turns-default&${query}`;
    const headers = { authorization: `Bearer ${operator.apiKey}` };
    const reply = await fetch(`${fleet.apiUrl}${path}`, { headers });
    expect(reply.status).toBe(200);
    return ((await reply.json()) as { readonly queues: [BoardQueue] }).queues[0];
  };
  const metric = async (line: string): Promise<number> => {
    const texts = await Promise.all(fleet.metricsUrls.map(async (url) => (await fetch(url)).text()));
    const found = texts.flatMap((text) => text.split("\n")).find((one) => one.startsWith(`${line} `));
    return Number(found?.slice(line.length + 1));
  };
  const ready = async (): Promise<number> => {
    const { rows } = await fleet.db.pool.query<{ count: number }>(
      "select count(*)::int as count from sessions where schedule = 'ready'",
    );
    return rows[0]!.count;
  };

  beforeAll(async () => {
    meeting = await openRendezvous();
    const env = { DARI_WORKER_SLOTS: String(slots) };
    fleet = await startFleet({ redisUrl, metrics: true, env });
    const created = await createTestOrganization(fleet.db, { operator: true });
    operator = { ...created, client: createClient({ ...created, apiUrl: fleet.apiUrl }) };
    const point = randomBytes(6).toString("hex");
    const failing = await deploy(fleet, scriptAgent());
    await playScript(fleet, (await fleet.client.createSession(failing.agentId)).id, [["throw", "no"]]);
    const isThere = async (): Promise<boolean> => (await board("status=failed")).counts["failed"] === 1;
    await waitUntil(isThere, { what: "a job that failed", timeoutMs: 60_000 });
    for (const platform of [fleet, { ...fleet, ...operator }]) {
      const { agentId } = await deploy(platform, scriptAgent());
      const sessions = Array.from({ length: perOrganization }, () => platform.client.createSession(agentId));
      for (const session of await Promise.all(sessions)) {
        await start(platform, session.id, [["meet", meeting.urlOf(point)]]);
      }
    }
    await meeting.arrived(point, slots);
    await waitUntil(async () => (await ready()) === 2 * perOrganization - slots, {
      what: "the others to wait",
      timeoutMs: 60_000,
    });
  }, 240_000);

  afterAll(async () => {
    await fleet?.close();
    await meeting?.[Symbol.asyncDispose]();
  }, 120_000);

  test("have the same number on the board, the Fleet page, in /metrics, in dari doctor and in SQL", async () => {
    const count = 2 * perOrganization - slots;
    const { counts, statuses } = await board("status=waiting");
    const shown = await operator.client.getFleet();
    const health = await operator.client.getOperatorHealth();
    const said = (name: string): string | undefined => health.checks.find((check) => check.name === name)?.found;
    // The reconciler reads the schedule at most once in five seconds.
    await waitUntil(async () => (await metric("dari_waiting_turns")) === count, { what: "the next look" });
    expect({
      sql: await ready(),
      board: counts["waiting"],
      fleet: shown.schedule.ready,
      byOrganization: shown.organizations.reduce((sum, one) => sum + one.ready, 0),
      waiting: await metric("dari_waiting_turns"),
      jobs: await metric('dari_queue_jobs{state="waiting"}'),
    }).toEqual({ sql: count, board: count, fleet: count, byOrganization: count, waiting: count, jobs: count });
    expect(said("waiting")).toContain(`${count} wait for a slot`);
    expect(said("queue")).toContain(`${count} waiting,`);
    expect(statuses).toEqual(["latest", "active", "waiting", "completed", "failed", "delayed"]);
  });

  test("are on the board's pages once each, by organization, with a link if the viewer can open it", async () => {
    const pages = [];
    const { pagination } = await board("status=waiting&jobsPerPage=7");
    for (let page = 1; page <= pagination.pageCount; page += 1) {
      pages.push(...(await board(`status=waiting&jobsPerPage=7&page=${page}`)).jobs);
    }
    expect(pages).toHaveLength(2 * perOrganization - slots);
    expect(new Set(pages.map(({ id }) => id)).size).toBe(pages.length);
    const organizations = pages.map(({ data }) => data.organizationId);
    expect(organizations).toEqual([...organizations].sort());
    for (const { id, data, externalUrl } of pages) {
      const isOwn = data.organizationId === operator.organizationId;
      expect(externalUrl.href).toBe(isOwn ? `/console/messages/${id}` : "/console/fleet");
    }
    // Pages are limited wherever they are requested.
    expect((await board("status=waiting&jobsPerPage=1000000")).jobs.length).toBeLessThanOrEqual(100);
    expect((await board("status=waiting&page=1000000000")).jobs).toEqual([]);
  });

  test("are single jobs of the board that cannot be retried, promoted or removed", async () => {
    const [job] = (await board("status=waiting")).jobs;
    const ask = (method: string, action: string): Promise<Response> =>
      fetch(`${fleet.apiUrl}/ops/queues/api/queues/turns-default/${job!.id}${action}`, {
        method,
        headers: { authorization: `Bearer ${operator.apiKey}` },
      });
    expect(await (await ask("GET", "")).json()).toMatchObject({ status: "waiting", job: { id: job!.id } });
    const statuses = ["/promote", "/retry", "/clean"].map(async (action) => (await ask("PUT", action)).status);
    expect(await Promise.all(statuses)).toEqual([409, 409, 405]);
  });

  if (!isNightly()) return;
  describeWith("chromium", "in a browser", ({ command }) => {
    let browser: Browser;
    let page: Page;
    const foreign: string[] = [];
    const refused: string[] = [];

    beforeAll(async () => {
      browser = await startBrowser(command);
      page = await (await browser.newContext({ viewport: { width: 1360, height: 860 } })).newPage();
      page.on("request", (request) => {
        if (!request.url().startsWith(fleet.apiUrl)) foreign.push(request.url());
      });
      page.on("response", (reply) => {
        if (reply.url().includes("/ops/queues") && reply.status() >= 400) refused.push(reply.url());
      });
      await page.goto(`${fleet.apiUrl}/ops/queues`);
      await signIn(page, operator.apiKey);
      await page.getByText("turns-default").first().waitFor();
    }, 60_000);
    afterAll(async () => browser?.close());

    const tabs = ["latest", "active", "waiting", "completed", "failed", "delayed"];
    const open = async (tab: string): Promise<void> => {
      await page.goto(`${fleet.apiUrl}/ops/queues/queue/turns-default?status=${tab}`);
      await page.getByText("Latest", { exact: false }).first().waitFor();
      await page.waitForLoadState("networkidle");
    };

    test("the board lists them, and loads nothing from another host", async () => {
      await open("waiting");
      await page.getByText("Test organization").first().waitFor();
      expect([foreign, refused]).toEqual([[], []]);
    });

    test("a button is there only for what is allowed", async () => {
      const shown: Record<string, number[]> = {};
      for (const tab of tabs) {
        await open(tab);
        const lists = ["ul[class*=jobActions-] > li", "ul[class*=queueActions-] > li"];
        const visible = [...lists, "section [aria-haspopup=menu]"];
        shown[tab] = await Promise.all(visible.map((one) => page.locator(`${one}:visible`).count()));
        await page.screenshot({ path: `${picturesDir}/board-${tab}.png` });
      }
      const none = [0, 0, 0];
      const one = [1, 1, 0];
      expect(shown).toEqual({ latest: none, active: none, waiting: none, completed: none, failed: one, delayed: none });
    });

    test("a failed job says in words what happened, and its button retries it", async () => {
      await open("failed");
      await page.getByRole("tab", { name: "Error" }).click();
      await page.getByText("The message failed with agent_error.").waitFor();
      await page.screenshot({ path: `${picturesDir}/board-error.png` });
      const [job] = (await board("status=failed")).jobs;
      expect(job!.stacktrace.join()).not.toMatch(/TurnFailed|TurnRetry/);
      const replied = page.waitForResponse((reply) => reply.request().method() === "PUT");
      await page.locator("ul[class*=jobActions-] > li:visible button").click();
      await page.getByRole("button", { name: "Confirm" }).click();
      expect((await replied).status()).toBe(204);
    });
  });
});
