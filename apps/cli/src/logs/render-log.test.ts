// Tests how log lines look.

import { expect, test } from "@jest/globals";
import { painter, renderAgentLog, renderPlatformLine } from "./render-log.ts";

const plain = painter(false);
/** Names the styles instead of their escape sequences. */
const named = (name: string, text: string): string => `<${name}>${text}</>`;
const line = (fields: object): string => JSON.stringify({ level: "info", time: "2026-01-02T03:04:05.678Z", ...fields });

test("an agent's log has styled headings, times and labels", () => {
  const log = "== attempt 1\n2026-01-02T03:04:05.678Z [stdout] one [stderr] two\n[stderr] three\n[other] four\n";
  expect(renderAgentLog(log, named)).toBe(
    "<bold>== attempt 1</>\n<dim>2026-01-02T03:04:05.678Z </><dim>[stdout]</> one [stderr] two\n" +
      "<dim></><warning>[stderr]</> three\n[other] four\n",
  );
  expect(renderAgentLog(log, plain)).toBe(log);
});

test.each([
  [
    { name: "dari", session: "sess_1", ms: 12, msg: "turn.finished" },
    "03:04:05.678Z info  dari turn.finished session=sess_1 ms=12",
  ],
  [
    { level: "error", msg: "failed", err: { message: "no", stack: "Error: no\n    at place" } },
    "03:04:05.678Z error  failed\n  Error: no\n      at place",
  ],
  [{ msg: "a\u001b[2Jb", what: { deep: [1] } }, '03:04:05.678Z info   a[2Jb what={"deep":[1]}'],
])("%j", (fields, shown) => expect(renderPlatformLine(line(fields), plain)).toBe(shown));

test("a warning is coloured, and what is no JSON object is shown as it is", () => {
  expect(renderPlatformLine(line({ level: "warn", msg: "late" }), named)).toContain("<warning>warn </>");
  for (const text of ["Error: at the start", "[1]", ""]) expect(renderPlatformLine(text, named)).toBe(text);
});
