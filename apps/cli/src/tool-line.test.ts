// One line for each tool call that starts or fails, and none for anything else.

import { expect, test } from "@jest/globals";
import type { StreamedEvent } from "@dari/contract";
import { toolLine } from "./tool-line.ts";

const lineOf = (type: string, data: object): string | undefined => toolLine({ type, data } as StreamedEvent);

test("a tool call is one line, and so is its failure", () => {
  const call = { call_id: "call_1", name: "search", kind: "function", arguments: { query: "Rome" } };
  expect(lineOf("tool.call_requested", call)).toBe('search {"query":"Rome"}');
  expect(lineOf("tool.call_requested", { ...call, server: "maps" })).toBe('maps: search {"query":"Rome"}');
  expect(lineOf("tool.call_completed", { ...call, result: "found", is_error: false })).toBeUndefined();
  expect(lineOf("tool.call_completed", { ...call, result: "Error: no", is_error: true })).toBe(
    "search failed: Error: no",
  );
  expect(lineOf("tool.call_requested", { ...call, arguments: "x".repeat(900) })).toHaveLength(208);
  expect(lineOf("model.request_started", { ordinal: 1 })).toBeUndefined();
});
