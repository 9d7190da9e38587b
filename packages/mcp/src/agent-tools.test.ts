// Agents as tools: their names, and what a call costs.

import { expect, test } from "@jest/globals";
import { agentTools, toolNameOf } from "./agent-tools.ts";

const agent = (name: string, id = "agt_01jx5m0k8c3f7q2v9t4w6y8z1a") => ({ id, name, description: undefined });
const namesOf = (...names: string[]) =>
  agentTools(names.map((name, at) => agent(name, `agt_${at}`))).map((tool) => tool.name);
const common = ["get_message", "answer_message", "list_messages"];

test.each([
  ["support", "support"],
  ["support-2_b", "support-2_b"],
  ["Müller & Söhne", "M_ller_S_hne"],
  ["支持", "agt_01jx5m0k8c3f7q2v9t4w6y8z1a"],
  ["x".repeat(200), "x".repeat(64)],
  ['a"\n}', "a_"],
  ["agt.01jx5m0k8c3f7q2v9t4w6y8z1b", "agt_01jx5m0k8c3f7q2v9t4w6y8z1a"],
])("%j is the tool %s", (name, tool) => {
  expect(toolNameOf(agent(name))).toBe(tool);
});

test("a name that is taken is replaced by the id", () => {
  expect(namesOf("a b", "a+b", "get_message")).toEqual(["a_b", "agt_1", "agt_2", ...common]);
});

test("a name cannot take the place of another agent's id", () => {
  expect(namesOf("agt.1", "支持")).toEqual(["agt_0", "agt_1", ...common]);
});

test("all calls share one schema, because the validator keeps each that it has seen", () => {
  const [first] = agentTools([agent("a")]);
  const [second] = agentTools([agent("b")]);
  expect(first?.inputSchema).toBe(second?.inputSchema);
});
