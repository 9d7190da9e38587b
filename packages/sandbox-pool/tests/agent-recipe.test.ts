// Which turns can use the same preloaded sandbox.

import { expect, test } from "@jest/globals";
import { Redacted } from "@dari/domain";
import { agentRecipe } from "../src/agent-recipe.ts";
import type { AgentContext, AgentTurn } from "../src/agent-turn.ts";

test("a changed network rule or limit, or other hosts of a credential, replace a preloaded sandbox", () => {
  const context = { settings: {}, driver: {} } as AgentContext;
  const recipe = (
    egress: AgentTurn["egress"],
    placeholder: string,
    turnBounds?: AgentTurn["turnBounds"],
  ): { key: string; shared: ReadonlyMap<string, string> } => {
    const place = { organizationId: "org", versionId: "ver", manifest: { runtime: {} }, egress };
    const environment = new Redacted({ API_KEY: placeholder });
    const turn = { ...place, environment, sessionSecrets: new Set<string>(), turnBounds };
    return agentRecipe(context, turn as unknown as AgentTurn);
  };
  const first = recipe({}, "of a.example");
  expect(recipe({}, "of a.example")).toMatchObject({ key: first.key, shared: first.shared });
  for (const [name, other] of [
    ["egress", recipe({ operator: { mode: "off", hosts: [] } }, "of a.example")],
    ["API_KEY", recipe({}, "of b.example")],
    ["bounds", recipe({}, "of a.example", { memoryBytes: 1024 ** 3, cpus: null })],
  ] as const) {
    expect(other.key).not.toBe(first.key);
    const changed = [...other.shared].filter(([each, digest]) => first.shared.get(each) !== digest);
    expect(changed.map(([each]) => each)).toEqual([name]);
  }
  // Sessions with and without internet access can alternate: neither ends the sandbox of the other.
  const closed = recipe({ session: { mode: "off", hosts: [] } }, "of a.example");
  expect(closed.key).not.toBe(first.key);
  expect(closed.shared).toEqual(first.shared);
});
