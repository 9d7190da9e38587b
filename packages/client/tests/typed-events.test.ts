// Payloads narrow by the type of their event: `tsc` checks this file, and the test runs it.

import { expect, test } from "@jest/globals";
import type { Client, StreamItem, ToolCallRequestedEvent } from "@dari/client";
import { serve } from "./serve.ts";

/** Fails to compile unless both types are the same. */
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const isSame = <A, B>(_: Same<A, B>): void => undefined;

function describe(event: StreamItem): string {
  // eslint-disable-next-line typescript/switch-exhaustiveness-check
  switch (event.type) {
    case "assistant.text_delta":
      isSame<typeof event.data.offset, number>(true);
      return event.data.text;
    case "tool.call_requested":
      isSame<typeof event, ToolCallRequestedEvent>(true);
      return `${event.data.name} ${JSON.stringify(event.data.arguments)}`;
    case "tool.call_completed":
      isSame<typeof event.data.is_error, boolean>(true);
      return `${event.data.name} ${event.data.is_error ? "failed" : "is done"}`;
    case "reasoning.delta":
    case "reasoning.completed":
    case "assistant.message":
      return event.data.text;
    case "model.request_completed":
      isSame<typeof event.data.usage, Record<string, number> | undefined>(true);
      return `${event.data.duration_ms} ms`;
    case "plan.updated":
      return event.data.items.map(({ text, status }) => `${status} ${text}`).join();
    case "subagent.started":
      return event.data.name;
    case "log":
      return event.data.text;
    case "message.completed":
      return event.data.status;
    default:
      // Types that this release does not know end here as well.
      return `another: ${event.type}`;
  }
}

async function describeTurn(client: Client): Promise<string[]> {
  const lines: string[] = [];
  for await (const event of client.stream("sess_1", "Hello", { on_busy: "enqueue" })) lines.push(describe(event));
  return lines;
}

test("a sent text's events narrow by type, and an unknown type is read like any other", async () => {
  const call = { call_id: "call_1", name: "search" };
  const events = [
    ["tool.call_requested", { ...call, kind: "function", arguments: { query: "Rome" } }],
    ["tool.call_completed", { ...call, result: null, is_error: true }],
    ["model.thought", {}],
    ["message.completed", { id: "msg_1", status: "completed" }],
  ] as const;
  let body = "";
  const { client } = await serve((request, response) => {
    request.on("data", (piece: Buffer) => (body += piece.toString()));
    response.writeHead(200, { "content-type": "text/event-stream" });
    const lines = events.map(([type, data], at) => JSON.stringify({ sequence_number: at + 1, type, data }));
    request.on("end", () => response.end(lines.map((line) => `data: ${line}\n\n`).join("")));
  });
  expect(await describeTurn(client)).toEqual([
    'search {"query":"Rome"}',
    "search failed",
    "another: model.thought",
    "completed",
  ]);
  expect(JSON.parse(body)).toEqual({ parts: [{ type: "text", text: "Hello" }], on_busy: "enqueue" });
});
