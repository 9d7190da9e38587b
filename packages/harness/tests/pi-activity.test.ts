// What is recorded and shown of a session of pi, from its events.

import { expect, test } from "@jest/globals";
import { fileURLToPath } from "node:url";

interface Module {
  recordSession(activity: object): { take(event: object): void; ordinal(): number | undefined };
}

const file = fileURLToPath(new URL("../guest/node/sdk/pi-activity.mjs", import.meta.url));
const text = (said: string): object => ({ type: "text", text: said });
const answer = (...content: object[]): object => ({ role: "assistant", provider: "anthropic", content });
const call = { type: "toolCall", id: "call 1", name: "read", arguments: { path: "a" } };

test("texts before calls and before messages that steer are messages; reasoning and arguments are shown", async () => {
  const { recordSession } = (await import(file)) as Module;
  const told: [type: string, what: unknown][] = [];
  const session = recordSession({
    record: (type: string, data: { text?: string; ordinal?: number }) => told.push([type, data.text ?? data.ordinal]),
    preview: (type: string, data: object) => told.push([type, data]),
    fit: (field: string, value: unknown) => ({ [field]: value }),
  });
  const ask = (...content: object[]): void => {
    session.take({ type: "message_start", message: answer() });
    const partial = { content };
    const updates = [
      { type: "thinking_delta", contentIndex: 0, delta: "I think", partial },
      ...content.map((_part, contentIndex) => ({ type: "toolcall_delta", contentIndex, delta: "{}", partial })),
    ];
    for (const assistantMessageEvent of updates) session.take({ type: "message_update", assistantMessageEvent });
    expect(session.ordinal()).toBeGreaterThan(0);
    session.take({ type: "message_end", message: answer(...content) });
    expect(session.ordinal()).toBeUndefined();
  };
  ask(text("First."), call);
  ask(text("Rome"));
  session.take({ type: "message_start", message: { role: "user", content: [text("no, another")] } });
  ask(text("Paris"));
  const thinks = (ordinal: number): unknown[] => ["reasoning.delta", { ordinal, text: "I think" }];
  expect(told.filter(([type]) => !type.startsWith("tool.call_"))).toEqual([
    ["model.request_started", 1],
    thinks(1),
    ["tool.arguments_delta", { call_id: "call 1", name: "read", text: "{}" }],
    ["model.request_completed", 1],
    ["assistant.message", "First."],
    ["model.request_started", 2],
    thinks(2),
    ["model.request_completed", 2],
    ["assistant.message", "Rome"],
    ["model.request_started", 3],
    thinks(3),
    ["model.request_completed", 3],
  ]);
});
