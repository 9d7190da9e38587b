// Schedules and batches on a running platform, through its command: a due time that arrives, and dozens of sessions.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { createClient, type Client } from "@dari/client";
import type { BatchSessionRecord } from "@dari/contract";
import { atNight, waitUntil } from "@dari/testkit";
import { manifestFile } from "../src/conversation.ts";
import { dari } from "../src/curl.ts";
import { deployFiles } from "../src/deploy-files.ts";
import { startStandalone, type StandaloneProcess } from "../src/standalone-process.ts";

/** Answers with the due time in its metadata, or with its prompt if there is none. */
const echo = {
  ...manifestFile({ entrypoint: "agent.mjs:agent" }),
  "agent.mjs": `export function agent(prompt, { metadata }) {
      if (prompt === "fail") throw new Error("as asked");
      return metadata.schedule_due_at ?? prompt;
    }`,
};

const dir = mkdtempSync(join(tmpdir(), "dari-clock-"));
let platform: StandaloneProcess;
let client: Client;
let agentId: string;
let scheduleId: string;
let dueAt: string | null;

beforeAll(async () => {
  platform = await startStandalone();
  client = createClient(platform);
  agentId = (await deployFiles(platform, echo)).agentId;
  // It fires at the next minute, and the batch runs until then.
  scheduleId = (await cli(undefined, "schedules", "create", "* * * * *", "now", "--agent-id", agentId)).trim();
  ({ next_due_at: dueAt } = await client.getSchedule(scheduleId));
}, 180_000);

afterAll(async () => {
  await platform?.[Symbol.asyncDispose]();
  rmSync(dir, { recursive: true, force: true });
}, 120_000);

const cli = (input: string | undefined, ...args: readonly string[]): Promise<string> =>
  dari(args, { ...platform, cwd: dir, ...(input === undefined ? {} : { input }) });

test("a batch of lines runs to its end, each line in its own session", async () => {
  const lines = [...Array.from({ length: 23 }, (_, n) => `line ${n}`), "fail"];
  const id = (await cli(lines.join("\n"), "batches", "create", "-", "--agent-id", agentId)).trim();
  const ended = await waitUntil(
    async () => {
      const batch = await client.getSessionBatch(id);
      return batch.status === "ended" && batch;
    },
    { what: "the batch to end", timeoutMs: 120_000 },
  );
  expect(ended).toMatchObject({ total: 24, counts: { completed: 23, failed: 1 }, finished_at: expect.any(String) });
  const rows = JSON.parse(await cli(undefined, "batches", "sessions", id, "--json")) as BatchSessionRecord[];
  expect(rows.map(({ index }) => index)).toEqual(lines.map((_, index) => index));
  expect(rows.at(-1)).toMatchObject({ message_status: "failed", error: { code: "agent_error" } });
  const third = await client.getMessage(rows[3]?.message_id ?? "");
  expect(third.output?.parts).toEqual([{ type: "text", text: "line 3" }]);
}, 240_000);

atNight(test)(
  "the next minute sends a message, whose agent gets its due time; then it is paused",
  async () => {
    const firing = await waitUntil(
      async () => {
        const [row] = (await client.listScheduleFirings(scheduleId)).data.toReversed();
        return row !== undefined && row.message_status === "completed" && row;
      },
      { what: "the first firing to end", timeoutMs: 120_000 },
    );
    expect(await cli(undefined, "schedules", "pause", scheduleId)).toBe(`paused ${scheduleId}\n`);
    expect(firing).toMatchObject({ due_at: dueAt, outcome: "fired", reason: null });
    const message = await client.getMessage(firing.message_id ?? "");
    expect(message.output?.parts).toEqual([{ type: "text", text: dueAt }]);
    expect(await cli(undefined, "schedules", "firings", scheduleId)).toContain("fired");
    expect(await client.getSchedule(scheduleId)).toMatchObject({ status: "paused", next_due_at: null });
  },
  240_000,
);
