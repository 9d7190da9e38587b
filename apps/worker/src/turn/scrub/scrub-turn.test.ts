// What is recorded of a turn's end after its secrets are removed.

import { expect, test } from "@jest/globals";
import { createScrubber, limits } from "@dari/domain";
import { renderIgnoredFile, scrubEnding } from "./scrub-turn.ts";

test("an answer that is too large without its secrets fails the turn, which is charged anyway", () => {
  const scrubber = createScrubber([["TOKEN", "a secret value"]]);
  const parts = [{ type: "text" as const, text: "x".repeat(limits.outputBytes + 1) }];
  const usage = { total_tokens: 9 };
  expect(scrubEnding(scrubber, { ending: "completed", output: { parts, usage } })).toMatchObject({
    ending: "failed",
    failure: { code: "output_too_large" },
    output: { parts: [], usage },
  });
});

test("the name of a socket that is not kept shows no secret", () => {
  const scrubber = createScrubber([["TOKEN", "a-secret-value"]]);
  const line = renderIgnoredFile(scrubber, { path: "workspace/a-secret-value.sock", reason: "special_file" });
  expect(line).toBe("not saved: workspace/[redacted:TOKEN].sock: special_file\n");
});
