// A worker without memory for a single turn logs that, and when it has memory again.

import { expect, test } from "@jest/globals";
import { checkHealth, createLogger } from "@dari/runtime";
import { waitUntil } from "@dari/testkit";
import { createGate } from "./gate.ts";
import { watchMemory } from "./watch-memory.ts";

test("it is logged with its numbers and fails the check, until there is memory again", async () => {
  const lines: Record<string, unknown>[] = [];
  const destination = { write: (text: string) => void lines.push(JSON.parse(text) as Record<string, unknown>) };
  const log = createLogger({ name: "worker", destination });
  const MiB = 1024 ** 2;
  let availableBytes = 900 * MiB;
  const turns = {
    room: () => ({ turns: availableBytes >= 1_100 * MiB ? 1 : 0 }),
    admit: () => ({ track: () => () => undefined, leave: () => undefined }),
  };
  const gate = createGate({ slots: 2, startsMax: 2, turns });
  const room = () => ({ availableBytes, neededBytes: 1_100 * MiB });
  const watch = watchMemory({ gate, room, log, shortMs: 100, checkEveryMs: 10 });
  const health = async () => (await checkHealth({ memory: () => watch.check() })).checks["memory"];
  try {
    expect(await health()).toBe("ok");
    await waitUntil(async () => (await health()) !== "ok", { what: "the check to fail" });
    const fix = "end other programs on this machine, or give the worker more memory";
    expect((await health())?.replace(/\d+ s/, "0 s")).toBe(
      `no memory for a single turn for 0 s (900 MiB available, a turn starts with 1,100 MiB); ${fix}`,
    );
    const numbers = { available_bytes: 900 * MiB, needed_bytes: 1_100 * MiB };
    const short = { level: "warn", msg: "worker.no_room_for_a_turn", ...numbers, fix };
    expect(lines).toEqual([expect.objectContaining(short)]);
    expect(lines[0]?.["short_ms"]).toBeGreaterThanOrEqual(100);

    availableBytes = 2_000 * MiB;
    await waitUntil(async () => (await health()) === "ok", { what: "the check to pass" });
    expect(lines.map((line) => line["msg"])).toEqual(["worker.no_room_for_a_turn", "worker.has_room_again"]);

    // A running turn has its memory, and a worker that stops needs none.
    const place = gate.tryEnter();
    availableBytes = 900 * MiB;
    expect(gate.offered).toBe(1);
    place?.leave();
    gate.close();
    expect(await health()).toBe("ok");
  } finally {
    await watch.stop();
  }
});
