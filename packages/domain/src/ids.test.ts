// Ids: their order and their two names.

import { describe, expect, test } from "@jest/globals";
import { agentIdFromWire, deploymentIdOf, isId, newId } from "./ids.ts";

describe("ids", () => {
  test("sort by creation time and carry their prefix", () => {
    const earlier = newId("session", 1_000);
    const later = newId("session", 2_000);
    expect(earlier < later).toBe(true);
    expect(isId("session", earlier)).toBe(true);
    expect(isId("message", earlier)).toBe(false);
  });

  test("an agent has one suffix and two names", () => {
    const agent = newId("agent");
    expect(agentIdFromWire(deploymentIdOf(agent))).toBe(agent);
  });
});
