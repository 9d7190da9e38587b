// Features of only one of the two languages.

import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { waitUntil } from "@dari/testkit";
import type { ReportFrame } from "../src/index.ts";
import { findRuntimes, play } from "./guest-fixture.ts";

const runtimes = findRuntimes();

describe.each(runtimes.filter(({ language }) => language === "python"))("$title", (runtime) => {
  test.each([
    ["withOption", "small"],
    ["withDefaultContext", "sess_1"],
    ["keywordOnly", "hello sess_1"],
    ["usesDependency", "from .deps"],
    ["instance", "called with hello"],
    ["forks", "from the parent"],
  ])("%s answers with %s", async (name, text) => {
    expect((await play(runtime, name)).ending).toEqual({ kind: "completed", parts: [{ type: "text", text }] });
  });

  test("os._exit and MemoryError are distinguished", async () => {
    expect((await play(runtime, "exitsHard")).ending).toMatchObject({ failure: { code: "agent_exit" } });
    expect((await play(runtime, "memoryError")).ending).toMatchObject({ failure: { code: "out_of_memory" } });
  });
});

describe.each(runtimes.filter(({ language }) => language === "typescript"))("$title", (runtime) => {
  test("an error in the background fails the turn with its own message", async () => {
    const { ending } = await play(runtime, "crashesLater");
    expect(ending).toMatchObject({ failure: { code: "agent_error", message: "Error: in the background" } });
  });

  test("a crash is reported after everything that was sent before, also if the host reads slowly", async () => {
    const names: string[] = [];
    const onFrame = async (frame: ReportFrame): Promise<void> => {
      if (frame.t !== "event") return;
      names.push(frame.name);
      const crashing = join((frame.data as { cwd: string }).cwd, "crashing");
      await waitUntil(() => existsSync(crashing), { what: "the crash" });
    };
    const { ending } = await play(runtime, "crashesWithFullChannel", { onFrame });
    expect(ending).toMatchObject({ failure: { code: "agent_error", message: "RangeError: in the background" } });
    expect(names).toEqual(Array.from({ length: 60 }, (_, i) => `${i}`));
  });

  test("a promise that nothing can settle fails immediately", async () => {
    const { ending } = await play(runtime, "neverSettles");
    expect(ending).toMatchObject({ failure: { code: "agent_error", message: expect.stringMatching(/never happen/) } });
  });

  test("a full heap is out of memory", async () => {
    const { ending } = await play(runtime, "outOfMemory", { arguments: ["--max-old-space-size=32"] });
    expect(ending).toMatchObject({ failure: { code: "out_of_memory" } });
    expect((await play(runtime, "hoardsBuffers")).ending).toMatchObject({ failure: { code: "out_of_memory" } });
  });

  test("a line that is not a frame, and one without end, fail the turn", async () => {
    const { ending } = await play(runtime, "writesToChannel");
    expect(ending).toMatchObject({ failure: { code: "agent_error", message: expect.stringMatching(/descriptor 3/) } });
    expect((await play(runtime, "floodsChannel")).ending).toMatchObject({ failure: { code: "output_too_large" } });
  });
});
