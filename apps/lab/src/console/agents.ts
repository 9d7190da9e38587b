// The agents and the texts of the filled console: what an organization could really have, and what breaks layouts.

import { readFileSync } from "node:fs";
import path from "node:path";
import type { BundleFiles } from "../bundle.ts";
import { manifestFile } from "../conversation.ts";
import { checkout } from "../program.ts";

export const agentNames = [
  ...["support-desk", "invoice-checker", "ticket-classifier", "release-notes", "contract-reviewer", "onboarding"],
  ...["log-analyst", "translation", "seo-audit", "meeting-minutes", "refunds", "data-cleaning", "code-review"],
  ...["incident-response", "sales-digest", "inventory-forecast", "survey-summary", "expense-report"],
  ...["knowledge-base-maintenance-for-the-customer-success-team", "qa"],
] as const;

const source = readFileSync(path.join(checkout, "apps/lab/tests/agents/office/agent.mjs"), "utf8");

interface AgentOptions {
  /** The address to which each item of a batch adds its number, and where it waits. */
  readonly meeting?: string;
  /** The first version of two. */
  readonly isFirst?: boolean;
}

export function agentFiles(name: string, options: AgentOptions = {}): BundleFiles {
  const { meeting, isFirst = false } = options;
  return {
    ...manifestFile({
      name,
      entrypoint: "agent.mjs:agent",
      runtime: { language: "typescript", timeout_seconds: 600 },
      ...(name === "invoice-checker" ? { secrets: ["BANK_API_TOKEN"] } : {}),
      ...(name === "release-notes" ? { secrets: ["CRM_API_TOKEN"] } : {}),
      ...(name === "translation" ? { egress: ["api.example.com", "*.example.org"] } : {}),
      ...(meeting === undefined ? {} : { env: { MEETING: meeting } }),
    }),
    "agent.mjs": isFirst ? source.replace("The amounts agree.", "The sums agree.") : source,
    "README.md": `# ${name}\n\nAnswers requests of the team.\n${isFirst ? "" : "\nReports are below `output`.\n"}`,
  };
}

/**
 * An agent that reports model requests, tool calls, a subagent and todos. `meeting`: the address where a turn waits if
 * its prompt says so.
 */
export function researcherFiles(name: string, meeting: string): BundleFiles {
  const sdk = "@anthropic-ai/claude-agent-sdk";
  return {
    ...manifestFile({
      ...{ name, sdk: "claude-agent-sdk", entrypoint: "agent.mjs:agent", env: { MEETING: meeting } },
      ...{ runtime: { language: "typescript" }, retries: { max_attempts: 2 } },
    }),
    "package.json": JSON.stringify({ type: "module", dependencies: { [sdk]: "file:./sdk" } }),
    "sdk/package.json": JSON.stringify({ name: sdk, version: "0.3.0", type: "module", main: "index.mjs" }),
    "sdk/index.mjs": readFileSync(path.join(checkout, "apps/lab/tests/agents/researcher/sdk.mjs"), "utf8"),
    "agent.mjs": 'export const agent = { model: "claude-sonnet-4-5" };',
  };
}

/** What newly published versions say about their source. */
export const sources = [
  { subject: "First version", author: "Ann Example <ann@example.com>" },
  { subject: "Compare amounts to the cent, and say which customer has two accounts", author: "Bo Example" },
] as const;

const prompts = [
  "Please compare the May invoices with the bank statement and write a report",
  "A customer was charged twice for order 20931. What happened?",
  "Classify this ticket: the export button does nothing in Firefox",
  "Summarize yesterday's stand-up in five bullet points",
  "Which contracts end in the next 60 days and have no renewal clause?",
  "Translate the release notes to German, French and Spanish. Keep product names, keep the tone informal, do not " +
    "translate code, and list the sentences that you were not sure about at the end.",
  "Find the slowest five queries of last night's log",
  "顧客からの問い合わせに返信を書いてください",
  "اكتب رداً قصيراً على العميل",
  "Why did the nightly import fail? 🧾🔥",
  "Rewrite the onboarding e-mail for administrators",
  `https://example.com/${"one-long-word-".repeat(8)}?and=it&goes=on`,
  "Draft an answer to the complaint about late delivery",
  "Is version 4.2 compatible with PostgreSQL 15?",
  "Hi",
  "# Request\n\n- check the **VAT id**\n- answer in *one* sentence",
] as const;

export function promptOf(index: number): string {
  const text = prompts[index % prompts.length] ?? "";
  return index < prompts.length ? text : `${text} (${1_000 + index})`;
}
