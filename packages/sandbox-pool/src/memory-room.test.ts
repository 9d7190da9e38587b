// How many turns the memory holds, and which one ends if it runs out.

import { describe, expect, test } from "@jest/globals";
import { findRoom, findTurnToEnd, floorOf, type MemoryUse } from "./memory-room.ts";

const MiB = 1024 ** 2;
const GiB = 1024 * MiB;

function use(given: Partial<MemoryUse> = {}): MemoryUse {
  const machine = { totalBytes: 20 * GiB, availableBytes: 18 * GiB, idleBytes: 2 * GiB };
  return { ...machine, turns: 1, young: 0, expectedMaxBytes: 1 * GiB, ...given };
}

test.each([
  [20 * GiB, 1 * GiB],
  [2 * GiB, 256 * MiB],
  [512 * MiB, 128 * MiB],
])("of %d bytes, %d are kept free", (total, floor) => {
  expect(floorOf(total)).toBe(floor);
});

describe("room, with 1 GiB kept free", () => {
  test.each<[string, Partial<MemoryUse>, number]>([
    ["what is above 2 GiB, if turns hold little", {}, 256],
    ["less what young turns will take", { turns: 17, young: 16 }, 240],
    ["less, if turns hold much", { availableBytes: 17 * GiB, turns: 4, young: 2 }, 28],
    ["as if turns held no more than the most, whatever they hold", { availableBytes: 12 * GiB }, 10],
    ["as if turns held 256 MiB while none shows it", { turns: 4, young: 4 }, 60],
    ["one by one below 2 GiB", { availableBytes: 2 * GiB }, 1],
    ["one by one down to 1 GiB and what a turn needs", { availableBytes: 1 * GiB + 64 * MiB }, 1],
    ["not the next one while a turn is young", { availableBytes: 2 * GiB, young: 1 }, 0],
    ["one by one, if the expected turns would not fit", { availableBytes: 2.5 * GiB }, 1],
    ["none below 1 GiB", { availableBytes: 1 * GiB + 63 * MiB }, 0],
    ["one if nothing runs, even if other programs use the memory", { availableBytes: 0.6 * GiB, turns: 0 }, 1],
    ["none if nothing runs and the kernel would end it", { availableBytes: 0.4 * GiB, turns: 0 }, 0],
  ])("%s", (_, given, turns) => {
    expect(findRoom(use(given)).turns).toBe(turns);
  });

  test.each<[number, boolean, number]>([
    [2 * GiB, false, 0],
    [1.9 * GiB, true, 0],
    [512 * MiB, true, 0],
    [500 * MiB, true, 12 * MiB],
  ])("with %d bytes available, memory is scarce: %s, and %d bytes are missing", (availableBytes, isScarce, missing) => {
    expect(findRoom(use({ availableBytes }))).toMatchObject({ isScarce, missingBytes: missing });
  });
});

const turn = (organizationId: string, heldBytes: number) => ({ organizationId, heldBytes });

test("the largest turn ends, of the organization whose turns hold most", () => {
  const small = Array.from({ length: 10 }, () => turn("many", 300));
  const largest = turn("many", 400);
  expect(findTurnToEnd([turn("one", 2_000), ...small, largest, turn("few", 1_000)])).toBe(largest);
  expect(findTurnToEnd([turn("a", 5), turn("b", 6)])?.organizationId).toBe("b");
  expect(findTurnToEnd([turn("a", 0)])).toBeUndefined();
  expect(findTurnToEnd([])).toBeUndefined();
});
