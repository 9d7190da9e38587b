// A worker without memory for a single turn logs that, and when it has memory again.

import { expect, test } from "@jest/globals";
import { checkHealth, createLogger } from "@dari/runtime";
import { waitUntil } from "@dari/testkit";
import { createGate } from "./gate.ts";
import { watchMemory } from "./memory-watch.ts";

test("it is logged with its numbers and fails the check, until there is memory again", async () => {
  const lines: Record<string, unknown>[] = [];
  const destination = { write: (text: string) => void lines.push(JSON.parse(text) as Record<string, unknown>) };
  const log = createLogger({ name: "worker", destination });
  let availableBytes = 900;
  const turns = {
    room: () => ({ turns: availableBytes >= 1_000 ? 1 : 0 }),
    admit: () => ({ track: () => () => undefined, leave: () => undefined }),
  };
  const gate = createGate({ slots: 2, startsMax: 2, turns });
  const room = () => ({ availableBytes, neededBytes: 1_000 });
  const watch = watchMemory({ gate, room, log, shortMs: 100, checkEveryMs: 10 });
  const health = async () => (await checkHealth({ memory: () => watch.check() })).checks["memory"];
  try {
    expect(await health()).toBe("ok");
    await waitUntil(async () => (await health()) !== "ok", { what: "the check to fail" });
    expect(await health()).toMatch(/^no memory for a single turn for \d+ s: a turn needs 1000 bytes, 900 are free$/);
    const short = { level: "warn", msg: "worker.no_room_for_a_turn", available_bytes: 900, needed_bytes: 1_000 };
    expect(lines).toEqual([expect.objectContaining(short)]);
    expect(lines[0]?.["short_ms"]).toBeGreaterThanOrEqual(100);

    availableBytes = 2_000;
    await waitUntil(async () => (await health()) === "ok", { what: "the check to pass" });
    expect(lines.map((line) => line["msg"])).toEqual(["worker.no_room_for_a_turn", "worker.has_room_again"]);

    // A running turn has its memory, and a worker that stops needs none.
    const place = gate.tryEnter();
    availableBytes = 900;
    expect(gate.offered).toBe(1);
    place?.leave();
    gate.close();
    expect(await health()).toBe("ok");
  } finally {
    await watch.stop();
  }
});
