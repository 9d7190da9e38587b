// Valid and invalid answers to inputs.

import type { RouteCase } from "./route-case.ts";

function nested(levels: number): unknown {
  return levels === 0 ? true : [nested(levels - 1)];
}

export const inputCase: RouteCase = {
  valid: { key: "approve", value: true },
  invalid: [
    [{ value: true }, "key"],
    [{ key: "not a key", value: true }, "key"],
    [{ key: "approve" }, "value"],
    [{ key: "approve", value: "x".repeat(65_536) }, "value"],
    [{ key: "approve", value: Array(4_096).fill(0) }, "value"],
    [{ key: "approve", value: nested(129) }, "value"],
    [{ key: "approve", value: "\0" }, "value"],
    [{ key: "approve", value: true, by: "me" }, "by"],
  ],
};
