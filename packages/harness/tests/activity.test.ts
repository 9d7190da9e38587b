// What a guest reports about calls that fail, are cancelled or have much to say.

import { describe, expect, test } from "@jest/globals";
import type { ReportFrame } from "../src/index.ts";
import { findRuntimes, play } from "./guest-fixture.ts";

describe.each(findRuntimes())("$title", (runtime) => {
  const isNode = runtime.language === "typescript";

  if (isNode) {
    test("a crash after too many events is reported with its error", async () => {
      let pid = 0;
      const counts: number[] = [];
      const onFrame = (frame: ReportFrame): void => {
        if (frame.t === "event") pid = Number(frame.data);
        if (frame.t !== "omitted") return;
        counts.push(frame.count);
        // The agent reports nothing more before it crashes.
        if (frame.count === 16) process.kill(pid, "SIGUSR2");
      };
      const { ending } = await play(runtime, "crashesAfterTooManyTools", { onFrame });
      const message = expect.stringContaining("RangeError: no such luck");
      expect(ending).toMatchObject({ kind: "failed", failure: { code: "agent_error", message } });
      expect(counts.at(-1)).toBe(20);
    });
  }
});
