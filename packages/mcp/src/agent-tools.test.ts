// The names of agents as names of tools.

import { expect, test } from "@jest/globals";
import { findSameToolName, toolNameOf } from "./agent-tools.ts";

const agent = (name: string) => ({ id: "agt_01jx5m0k8c3f7q2v9t4w6y8z1a", name, description: undefined });

test.each([
  ["support", "support"],
  ["support-2_b", "support-2_b"],
  ["Müller & Söhne", "M_ller_S_hne"],
  ["支持", "agt_01jx5m0k8c3f7q2v9t4w6y8z1a"],
  ["x".repeat(200), "x".repeat(64)],
  ['a"\n}', "a_"],
])("%j is the tool %s", (name, tool) => {
  expect(toolNameOf(agent(name))).toBe(tool);
});

test("two agents with one tool name are found, and names of the other tools", () => {
  expect(findSameToolName([agent("a"), agent("b")])).toBeUndefined();
  expect(findSameToolName([agent("a b"), agent("a+b")])).toEqual(["a b", "a+b"]);
  expect(findSameToolName([agent("answer_message")])).toEqual(["the tool answer_message", "answer_message"]);
});
