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
  [256 * GiB, 2 * GiB],
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

  test("in numbers for operators", () => {
    const room = findRoom(use({ availableBytes: 1 * GiB }));
    expect(room).toMatchObject({ availableBytes: 1 * GiB, neededBytes: 1 * GiB + 64 * MiB });
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
const several = (count: number, organizationId: string, heldBytes: number) =>
  Array.from({ length: count }, () => turn(organizationId, heldBytes));

describe("the turn that ends", () => {
  const large = turn("other", 3 * GiB);

  test("is a large one before many small ones of an organization that holds more", () => {
    const small = several(400, "many", 11 * MiB);
    expect(findTurnToEnd([...small, large])).toBe(large);
  });

  test("is the largest one of the organization that holds most, also among many small ones", () => {
    const own = turn("many", 2 * GiB);
    expect(findTurnToEnd([large, ...several(300, "many", 11 * MiB), own])).toBe(own);
  });

  test("is none of an organization that holds little while another one fills the memory", () => {
    const filling = several(16, "filling", 1 * GiB);
    expect(findTurnToEnd([large, ...filling])?.organizationId).toBe("filling");
    expect(findTurnToEnd([turn("a", 5), turn("b", 6)])?.organizationId).toBe("b");
  });

  test("is one that holds something", () => {
    expect(findTurnToEnd([turn("a", 0)])).toBeUndefined();
    expect(findTurnToEnd([])).toBeUndefined();
  });
});
