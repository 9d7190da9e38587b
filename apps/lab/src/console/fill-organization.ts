// People, keys, credentials, schedules, webhooks, budgets and files of the filled platform.

import { textPart } from "../conversation.ts";
import type { Filling } from "./filling.ts";

export interface FilledOrganization {
  readonly schedule: string;
  readonly webhook: string;
}

export async function fillOrganization(filling: Filling, agentIds: readonly string[]): Promise<FilledOrganization> {
  await addPeople(filling, agentIds[0] ?? "");
  await addSettings(filling, agentIds);
  return { schedule: await addSchedules(filling, agentIds), webhook: await addWebhooks(filling) };
}

/** Two people join, and one starts sessions; two invitations stay open. */
async function addPeople({ client, apiUrl }: Filling, agentId: string): Promise<void> {
  const invite = (email: string, role: "owner" | "admin" | "member") => client.createInvitation({ email, role });
  const people = [
    await invite("ann.example@customer-success.example.com", "admin"),
    await invite("bo@example.com", "member"),
  ];
  await invite("li@example.com", "member");
  await invite("someone.with.a.long.name@department.of.a.large.company.example.org", "member");
  for (const { url = "" } of people) {
    const reply = await fetch(`${apiUrl}/v1/auth/link`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ token: url.split("#")[1] }),
    });
    const cookie = String(reply.headers.get("set-cookie")?.split(";")[0]);
    const headers = { cookie, origin: apiUrl, "sec-fetch-site": "same-origin", "content-type": "application/json" };
    for (const text of ["Which invoices are open?", "What did we promise Smith & Sons?"]) {
      const body = JSON.stringify({ type: "user.message", content: [textPart(text)] });
      const started = await fetch(`${apiUrl}/v1/agents/${agentId}/messages`, { method: "POST", headers, body });
      if (started.status !== 202)
        throw new Error(`the message was answered ${started.status}: ${await started.text()}`);
    }
  }
}

async function addSettings({ client }: Filling, agentIds: readonly string[]): Promise<void> {
  await client.createApiKey({ label: "Deploys from CI (GitHub)", scopes: ["deploy"] });
  await client.putCredential("SLACK_WEBHOOK", { value: "not-a-real-token" });
  await client.putCredential("CUSTOMER_RELATIONSHIP_MANAGEMENT_API_PASSWORD", { value: "not-a-real-password" });
  await client.putBudget({ period: "month", max_turns: 1_000, max_tokens: 2_000_000 });
  const agentId = agentIds[8] ?? agentIds.at(-1) ?? "";
  await client.putBudget({ agent_id: agentId, period: "day", max_turns: 1, max_turn_seconds: 3_600 });
  for (const text of ["Audit the start page", "Audit the price list"]) {
    const { id } = await client.createSession(agentId);
    await client.sendMessageAsync(id, { parts: [textPart(text)] });
  }
  for (const [filename, size] of [
    ["orders.csv", 40],
    ["contract with Smith & Sons, signed, second version of March (final).pdf", 250_000],
    ["screenshot.png", 90_000],
    ["recording.wav", 1_400_000],
  ] as const) {
    await client.uploadFile({ filename, content: new Blob([new Uint8Array(size)]) });
  }
}

async function addSchedules({ client }: Filling, agentIds: readonly string[]): Promise<string> {
  const [first = "", second = "", third = ""] = agentIds;
  const parts = (text: string) => [textPart(text)];
  await client.createSchedule({
    name: "Morning report",
    agent_id: second,
    cron: "30 7 * * MON-FRI",
    time_zone: "Europe/Berlin",
    parts: parts("Write the report about yesterday's invoices"),
  });
  await client.createSchedule({ agent_id: third, cron: "*/15 * * * *", parts: parts("Classify the new tickets") });
  const made = await client.createSchedule({
    ...{ name: "Every minute", agent_id: second, cron: "* * * * *" },
    parts: parts("Anything new?"),
  });
  const paused = await client.createSchedule({ agent_id: first, cron: "0 0 1 1 *", parts: parts("Happy new year") });
  await client.updateSchedule(paused.id, { status: "paused" });
  return made.id;
}

/** One receives, one is disabled. */
async function addWebhooks({ client, receiverUrl }: Filling): Promise<string> {
  const one = await client.createWebhookEndpoint({ url: `${receiverUrl}/hooks/dari`, description: "The help desk" });
  const other = await client.createWebhookEndpoint({
    url: `${receiverUrl}/a/rather/long/path/of/another/system/that/listens`,
  });
  await client.updateWebhookEndpoint(other.id, { status: "disabled" });
  return one.id;
}
