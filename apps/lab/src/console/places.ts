// The pages of the console, and what is done on each before its picture.

import type { Page } from "playwright-core";
import type { Filled } from "./fill.ts";
import type { Research } from "./research.ts";

export interface Place {
  /** The name of its pictures. */
  readonly name: string;
  /** Below the platform's address. */
  readonly address: string;
  /** Opens a dialog, a file or a menu. */
  readonly prepare?: (page: Page) => Promise<void>;
  /** Only in a narrow window. */
  readonly isNarrow?: boolean;
}

const press = (name: string) => (page: Page) => page.getByRole("button", { name, exact: true }).click();

/** `drawn`: an element of the file's view, which is loaded after its text. */
async function openFile(page: Page, name: string, drawn: string): Promise<void> {
  await page.getByText("output/", { exact: true }).click();
  await page.getByRole("button", { name }).click();
  await page
    .getByRole("region", { name: `Content of ${name}` })
    .locator(drawn)
    .first()
    .waitFor();
}

async function openPalette(page: Page, text: string): Promise<void> {
  await page.keyboard.press("Control+k");
  await page.getByRole("combobox", { name: "Page, agent, session or action" }).fill(text);
  await page.getByRole("status").getByText("Searching").waitFor({ state: "detached" });
}

export function listPlaces(filled: Filled, runningBatch: string, research: Research): readonly Place[] {
  const [agentId = "", second = "", , needing = ""] = filled.agentIds;
  const of = (path: string): string => `/console${path}`;
  return [
    { name: "overview", address: of("/overview") },
    {
      name: "overview-table",
      address: of("/overview?days=90"),
      prepare: (page) => page.getByText("Figures by day").click(),
    },
    { name: "agents", address: of("/agents") },
    { name: "agent", address: of(`/agents/${second}`) },
    { name: "agent-missing-credential", address: of(`/agents/${needing}`) },
    { name: "version", address: of(`/agents/${agentId}/versions/${filled.versionId}`) },
    {
      name: "version-source",
      address: of(`/agents/${agentId}/versions/${filled.versionId}`),
      async prepare(page) {
        await page.getByText("Source changes since").click();
        await page.getByRole("region", { name: "Source changes" }).waitFor();
      },
    },
    { name: "sessions", address: of("/sessions") },
    { name: "sessions-filtered", address: of("/sessions?started_by=caller&q=invoices") },
    { name: "sessions-none", address: of("/sessions?status=expired") },
    ...sessionPlaces(filled),
    ...researchPlaces(research),
    { name: "schedules", address: of("/schedules") },
    { name: "schedule", address: of(`/schedules/${filled.schedule}`) },
    { name: "schedule-new", address: of("/schedules"), prepare: press("New schedule") },
    { name: "batches", address: of("/batches") },
    { name: "batch-new", address: of("/batches"), prepare: press("New batch") },
    { name: "batch-running", address: of(`/batches/${runningBatch}`) },
    { name: "batch-ended", address: of(`/batches/${filled.endedBatch}`) },
    { name: "failed", address: of("/failed") },
    { name: "usage", address: of("/usage") },
    { name: "budgets", address: of("/budgets") },
    { name: "webhooks", address: of("/webhooks") },
    { name: "webhook", address: of(`/webhooks/${filled.webhook}`) },
    { name: "members", address: of("/members") },
    { name: "credentials", address: of("/credentials") },
    { name: "credential-new", address: of("/credentials"), prepare: press("Store a credential") },
    { name: "egress", address: of("/egress") },
    { name: "keys", address: of("/keys") },
    { name: "uploads", address: of("/uploads") },
    { name: "audit", address: of("/audit") },
    { name: "settings", address: of("/settings") },
    {
      name: "fleet",
      address: of("/fleet"),
      prepare: (page) => page.getByRole("table", { name: "Checks" }).waitFor(),
    },
    { name: "device", address: of("/device") },
    { name: "unknown", address: of("/nothing-here") },
    { name: "palette", address: of("/sessions"), prepare: (page) => openPalette(page, "invoices") },
    { name: "shortcuts", address: of("/agents"), prepare: (page) => page.keyboard.press("?") },
    { name: "menu", address: of("/sessions"), prepare: press("Menu"), isNarrow: true },
    { name: "reference", address: "/docs" },
  ];
}

function sessionPlaces({ talk, waiting, choosing, ended, empty, failedMessage }: Filled): readonly Place[] {
  const session = `/console/sessions/${talk}`;
  return [
    { name: "session", address: session },
    { name: "session-markdown-file", address: session, prepare: (page) => openFile(page, "report.md", ".markdown") },
    { name: "session-table-file", address: session, prepare: (page) => openFile(page, "invoices.csv", "td") },
    { name: "session-code-file", address: session, prepare: (page) => openFile(page, "compare.py", ".token") },
    {
      name: "session-diff",
      address: session,
      async prepare(page) {
        await page.getByText("Diff", { exact: true }).first().click();
        await page.getByRole("region", { name: "Diff" }).first().waitFor();
      },
    },
    { name: "session-waiting", address: `/console/sessions/${waiting}` },
    { name: "session-choosing", address: `/console/sessions/${choosing}` },
    { name: "session-ended", address: `/console/sessions/${ended}` },
    { name: "session-empty", address: `/console/sessions/${empty}` },
    { name: "message-failed", address: `/console/messages/${failedMessage}` },
  ];
}

function researchPlaces({ session, message, runningSession, runningMessage }: Research): readonly Place[] {
  const callNamed = (page: Page, name: string) => page.locator(".call summary", { hasText: name }).last();
  return [
    { name: "session-research", address: `/console/sessions/${session}` },
    {
      name: "session-research-open",
      address: `/console/sessions/${session}`,
      async prepare(page) {
        await callNamed(page, "/workspace/input/offers.csv").click();
        await callNamed(page, "Task").click();
        await callNamed(page, "Grep").click();
        await page.getByText("Reasoning").last().click();
      },
    },
    { name: "session-running", address: `/console/sessions/${runningSession}` },
    { name: "message", address: `/console/messages/${message}` },
    {
      name: "message-bar-open",
      address: `/console/messages/${message}`,
      async prepare(page) {
        const timeline = page.getByRole("table", { name: "Timeline" });
        await timeline.getByRole("button", { name: "Bash" }).last().click();
        await timeline.scrollIntoViewIfNeeded();
      },
    },
    { name: "message-running", address: `/console/messages/${runningMessage}` },
  ];
}
