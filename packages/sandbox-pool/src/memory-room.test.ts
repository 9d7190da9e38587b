// How many more turns fit into memory, by what was measured.

import { describe, expect, test } from "@jest/globals";
import { createTurnSizes, findLargestExcess, findRoom, reserveOf, type MemoryUse } from "./memory-room.ts";

const MiB = 1024 ** 2;
const GiB = 1024 * MiB;

/** A machine of 24 GiB with 20 GiB available and turns of 10 MiB. */
function use(given: Partial<MemoryUse> = {}): MemoryUse {
  return {
    ...{ totalBytes: 24 * GiB, availableBytes: 20 * GiB, shrinkingBytes: 0, stalledPercent: 0 },
    ...{ turns: [], starting: 0, usualBytes: 10 * MiB, ...given },
  };
}

test.each([
  ["a twentieth of the memory", 24 * GiB, 1.2 * GiB],
  ["at least 256 MiB", 2 * GiB, 256 * MiB],
  ["at most a quarter", 512 * MiB, 128 * MiB],
])("the reserve is %s", (_, totalBytes, bytes) => {
  expect(reserveOf(totalBytes)).toBeCloseTo(bytes, -1);
});

describe("the room", () => {
  const expected = { expectedBytes: 100 * MiB };
  test.each<[string, Partial<MemoryUse>, number]>([
    ["is what is available without the reserve", {}, 1_925],
    [
      "does not count what running turns hold: it is no longer available",
      { turns: [{ ...expected, heldBytes: 100 * MiB }] },
      1_925,
    ],
    ["keeps what running turns will grow", { turns: [{ ...expected, heldBytes: 20 * MiB }] }, 1_917],
    ["keeps all of a turn that was not measured", { turns: [{ ...expected, heldBytes: undefined }] }, 1_915],
    ["gives nothing back for a turn that grew more", { turns: [{ ...expected, heldBytes: 5 * GiB }] }, 1_925],
    ["keeps the turns that start", { starting: 8 }, 1_917],
    ["keeps what the next three seconds take", { shrinkingBytes: GiB }, 1_617],
    ["is empty below the reserve", { availableBytes: GiB }, 0],
    [
      "is empty while programs wait for memory and little is available",
      { availableBytes: 5 * GiB, stalledPercent: 6 },
      0,
    ],
    ["ignores the wait of one turn at its own limit", { stalledPercent: 90 }, 1_925],
  ])("%s", (_, given, turns) => {
    expect(findRoom(use(given)).turns).toBe(turns);
  });

  test("says what one more turn needs, when templates must go, and when a turn must", () => {
    const at = (availableBytes: number) => findRoom(use({ availableBytes }));
    const { neededBytes } = at(20 * GiB);
    expect([at(neededBytes).turns, at(neededBytes - MiB).turns]).toEqual([1, 0]);
    expect([at(neededBytes).isShort, at(1.1 * GiB).isShort, at(1.1 * GiB).isCritical]).toEqual([false, true, false]);
    expect(at(0.5 * GiB).isCritical).toBe(true);
  });
});

test("the turn that grew most beyond what its agent needs is found, not the largest one", () => {
  const large = { name: "large", expectedBytes: 3 * GiB, heldBytes: 3 * GiB };
  const grown = { name: "grown", expectedBytes: 10 * MiB, heldBytes: GiB };
  const unknown = { name: "unknown", expectedBytes: 10 * MiB, heldBytes: undefined };
  expect(findLargestExcess([large, unknown, grown])?.name).toBe("grown");
  expect(findLargestExcess([unknown])).toBeUndefined();
});

test("an agent's size follows a larger turn at once and smaller ones slowly; other agents keep theirs", () => {
  const sizes = createTurnSizes(64 * MiB);
  expect([sizes.usualBytes, sizes.expectedOf("a")]).toEqual([64 * MiB, 64 * MiB]);
  sizes.add("a", 4 * MiB);
  sizes.add("b", 100 * MiB);
  expect([sizes.expectedOf("a"), sizes.expectedOf("b")]).toEqual([4 * MiB, 100 * MiB]);
  for (let n = 0; n < 200; n++) sizes.add("a", 8 * MiB);
  expect(sizes.expectedOf("a")).toBe(8 * MiB);
  expect(sizes.usualBytes / MiB).toBeCloseTo(8, 1);
  sizes.add("a", 80 * MiB);
  expect(sizes.expectedOf("a")).toBe(80 * MiB);
  for (let n = 0; n < 200; n++) sizes.add("a", 8 * MiB);
  expect(sizes.expectedOf("a") / MiB).toBeCloseTo(8, 1);
  expect(sizes.expectedOf("new")).toBe(sizes.usualBytes);
});
