// Which conversations an import refuses that steered a turn.

import { Readable } from "node:stream";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { newId } from "@dari/domain";
import { ConversationReceiver } from "./read-conversation.ts";

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "dari-conversation-"));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

const [turn, steering] = [newId("message"), newId("message")];
const time = "2026-01-01T00:00:00.000Z";

function message(id: string, more: Record<string, unknown> = {}): object {
  return {
    id,
    status: "completed",
    parts: [{ type: "text", text: "hello" }],
    metadata: {},
    output: { parts: [] },
    files_changed: [],
    attempts: 1,
    max_attempts: 1,
    timings: {},
    created_at: time,
    started_at: time,
    completed_at: time,
    at_head: true,
    ...more,
  };
}

const delivered = (more: Record<string, unknown> = {}): object =>
  message(steering, { output: null, attempts: 0, started_at: null, delivered_in: turn, ...more });

const file = { type: "file", file_id: newId("file"), path: "/input/a.txt" };
const failedEarly = delivered({ status: "failed", completed_at: "2025-01-01T00:00:00.000Z" });

function event(number: number, type: string, data?: object): object {
  return { message: number, type, created_at: time, ...(data === undefined ? {} : { data }) };
}

const steered = event(2, "message.steered", { into: turn });
const ledger = [
  event(1, "user.message"),
  event(2, "user.message"),
  steered,
  event(2, "message.completed"),
  event(1, "message.completed"),
];

async function receive(messages: readonly object[], events: readonly object[]): Promise<void> {
  const entry = (path: string, lines: readonly object[]) => {
    const bytes = Buffer.from(lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
    const content = Readable.from([bytes]) as AsyncIterable<Uint8Array>;
    return { path, type: "file" as const, mode: 0o644, target: "", sizeBytes: bytes.length, content };
  };
  const receiver = new ConversationReceiver(dir);
  await receiver.takeMessages(entry("messages", messages));
  await receiver.takeLedger(entry("ledger", events));
  receiver.end();
}

test("a message that was delivered in an earlier one's turn is accepted", async () => {
  await expect(receive([message(turn), delivered()], ledger)).resolves.toBeUndefined();
});

test.each([
  ["in its own turn", [delivered({ delivered_in: steering }), message(turn)], ledger, /expected an earlier message/],
  ["in a later one's", [delivered(), message(turn)], ledger, /expected an earlier message/],
  ["with an answer", [message(turn), delivered({ output: { parts: [] } })], ledger, /without output and attempts/],
  ["with a start", [message(turn), delivered({ started_at: time })], ledger, /without started_at and files/],
  ["with a file", [message(turn), delivered({ parts: [file] })], ledger, /without started_at and files/],
  ["and failed early", [message(turn), failedEarly], ledger, /expected a time after those of the earlier messages/],
  ["without its event", [message(turn), delivered()], ledger.filter((one) => one !== steered), /no message.steered of/],
  ["twice", [message(turn), delivered()], [...ledger.slice(0, 3), ...ledger.slice(2)], /not delivered in a turn, or/],
  ["by its event alone", [message(turn), message(steering)], ledger, /message 2 was not delivered in a turn/],
])("a message that was delivered %s is refused", async (_name, messages, events, reason) => {
  await expect(receive(messages, events)).rejects.toThrow(reason);
});
