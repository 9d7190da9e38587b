// How sizes, durations, phases, routes and diffs are read and said.

import { expect, test } from "@jest/globals";
import type { MessageRecord } from "@dari/contract";
import { readDiff } from "./diff.ts";
import { agoText, durationText, sizeText } from "./format.ts";
import { readRoute } from "./route.ts";
import { phasesOf, waitText } from "./timeline.ts";

test.each([
  [0, "0 B"],
  [999, "999 B"],
  [1_500, "1.5 kB"],
  [123_456_789, "123 MB"],
])("%p bytes are %p", (bytes, said) => {
  expect(sizeText(bytes)).toBe(said);
});

test.each([
  [12, "12 ms"],
  [2_140, "2.1 s"],
  [200_000, "3 min 20 s"],
  [7_500_000, "2 h 5 min"],
])("%p milliseconds are %p", (ms, said) => {
  expect(durationText(ms)).toBe(said);
});

test("a moment is said by how long ago it is", () => {
  const now = Date.parse("2026-11-25T12:00:00Z");
  const said = ["11:59:50", "11:55:00", "09:00:00"].map((time) => agoText(`2026-11-25T${time}Z`, now));
  expect(said).toEqual(["just now", "5 min ago", "3 h ago"]);
});

test("phases come in the order of a turn, unknown ones last", () => {
  const phases = phasesOf({ later_ms: 1, save_ms: 4, queue_ms: 2, agent_ms: 3, attempts: 7 });
  expect(phases.map(({ name }) => name)).toEqual(["queue_ms", "agent_ms", "save_ms", "later_ms"]);
});

test("a message that waits says why", () => {
  const record = (fields: Partial<MessageRecord>) =>
    ({ status: "queued", waiting_reason: null, ...fields }) as MessageRecord;
  expect(waitText(record({ waiting_reason: "build" }))).toBe("its version is being built");
  expect(waitText(record({}))).toContain("slot");
  expect(waitText(record({ status: "running" }))).toBeUndefined();
});

test("an address is read as the path below /console, also a broken one", () => {
  const { path, query } = readRoute("/console/sessions/a%20b/%E0%A4%A?status=idle");
  expect([path, query.get("status")]).toEqual([["sessions", "a b", "%E0%A4%A"], "idle"]);
  expect(readRoute("/console").path).toEqual([]);
});

test("a diff's heads are not taken for its changes", () => {
  const patch = "diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n-old\n+new\n same\n";
  const kinds = readDiff(patch).map(({ kind }) => kind);
  expect(kinds).toEqual(["file", "file", "file", "hunk", "removed", "added", "kept"]);
});
