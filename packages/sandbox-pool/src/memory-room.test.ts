// How many turns the memory holds, and which one ends first.

import { describe, expect, test } from "@jest/globals";
import { createAgentSizes, findLargestHolder, findRoom, floorOf, isAboveShare, type MemoryUse } from "./memory-room.ts";

const MiB = 1024 ** 2;
const GiB = 1024 * MiB;

function use(given: Partial<MemoryUse> = {}): MemoryUse {
  const machine = { totalBytes: 24 * GiB, availableBytes: 20 * GiB };
  return { ...machine, heldBytes: 0, reservedBytes: 0, turns: 1, turnBytes: 64 * MiB, ...given };
}

test.each([
  [24 * GiB, 24 * GiB * 0.05],
  [2 * GiB, 256 * MiB],
  [512 * MiB, 128 * MiB],
])("of %d bytes, %d are kept free", (total, floor) => {
  expect(floorOf(total)).toBeCloseTo(floor);
});

describe("room", () => {
  test.each<[string, Partial<MemoryUse>, number]>([
    ["what is available, without what is kept free", {}, Math.floor((20 * GiB - 1.2 * GiB) / (64 * MiB))],
    ["less what is reserved", { availableBytes: 3.2 * GiB, reservedBytes: 1 * GiB }, 16],
    ["no more than the budget", { budgetBytes: 1 * GiB, heldBytes: 512 * MiB }, 8],
    ["none while less than one is left", { availableBytes: 1.2 * GiB + 63 * MiB }, 0],
    ["one if nothing runs, even if others use the memory", { availableBytes: 0.7 * GiB, turns: 0 }, 1],
    ["one if nothing runs, even if too much is reserved", { reservedBytes: 30 * GiB, turns: 0 }, 1],
    ["none if nothing runs and the kernel would end it", { availableBytes: 0.5 * GiB, turns: 0 }, 0],
  ])("%s", (_, given, turns) => {
    expect(findRoom(use(given)).turns).toBe(turns);
  });

  test.each<[string, Partial<MemoryUse>, boolean, boolean]>([
    ["enough", {}, false, false],
    ["below what is kept free", { availableBytes: 1 * GiB }, true, false],
    ["below half of that", { availableBytes: 0.5 * GiB }, true, true],
    ["turns hold more than the budget", { budgetBytes: 1 * GiB, heldBytes: 1.1 * GiB }, true, true],
  ])("%s", (_, given, isShort, isCritical) => {
    expect(findRoom(use(given))).toMatchObject({ isShort, isCritical });
  });
});

const turn = (organizationId: string, heldBytes: number) => ({ organizationId, heldBytes });

test("the largest turn ends, of the organization whose turns hold most", () => {
  const small = Array.from({ length: 10 }, () => turn("many", 300));
  const largest = turn("many", 400);
  const turns = [turn("one", 2_000), ...small, largest, turn("few", 1_000), turn("few", 500)];
  expect(findLargestHolder(turns)).toEqual({ organizationId: "many", heldBytes: 3_400, largest, turns: 11 });
  expect(findLargestHolder([turn("one", 9_000), ...turns], 2)?.organizationId).toBe("one");
  expect(findLargestHolder([turn("single", 9_000), ...turns], 2)?.organizationId).toBe("many");
  expect(findLargestHolder([])).toBeUndefined();
});

test.each([
  ["another one waits that holds nothing", [500, 500], {}, ["b"], true],
  ["another one waits that holds a fifth of it", [500, 500], { b: 200 }, ["b"], true],
  ["another one waits that holds a quarter of it", [500, 500], { b: 250 }, ["b"], false],
  ["no other one waits", [500, 500], {}, ["a"], false],
])("an organization gives memory back: %s", (_, own, others, waiting, gives) => {
  const turns = [...own.map((bytes) => turn("a", bytes)), ...Object.entries(others).map(([id, n]) => turn(id, n))];
  const holder = findLargestHolder(turns.filter(({ organizationId }) => organizationId === "a"))!;
  expect(isAboveShare(holder, turns, new Set(waiting))).toBe(gives);
});

test("the size of an agent is bounded, and follows its last turns down as fast as up", () => {
  const sizes = createAgentSizes(1 * GiB);
  expect(sizes.get("a")).toBeUndefined();
  sizes.add("a", 4 * GiB);
  expect(sizes.get("a")).toBe(1 * GiB);
  for (let n = 0; n < 7; n++) sizes.add("a", 8 * MiB);
  expect(sizes.get("a")).toBeLessThan(16 * MiB);
  sizes.add("b", 8 * MiB);
  expect(sizes.get("b")).toBe(8 * MiB);
});
