// Which turns may share a sandbox that was started ahead.

import { expect, test } from "@jest/globals";
import type { Turn } from "@dari/control/turns";
import { Redacted } from "@dari/domain";
import type { WorkerContext } from "../src/context.ts";
import { warmRecipe } from "../src/steps/start-guest.ts";

test("what waits under another rule of egress, or with a credential for other hosts, is replaced", () => {
  const context = { settings: {}, driver: {}, workspaces: {} } as WorkerContext;
  const recipe = (
    egress: Turn["egress"],
    placeholder: string,
  ): { key: string; shared: ReadonlyMap<string, string> } => {
    const place = { organizationId: "org", versionId: "ver", manifest: { runtime: {} }, egress };
    const environment = new Redacted({ API_KEY: placeholder });
    return warmRecipe(context, { ...place, environment, sessionSecrets: new Set<string>() } as unknown as Turn);
  };
  const first = recipe({}, "of a.example");
  expect(recipe({}, "of a.example")).toMatchObject({ key: first.key, shared: first.shared });
  for (const [name, other] of [
    ["egress", recipe({ operator: { mode: "off", hosts: [] } }, "of a.example")],
    ["API_KEY", recipe({}, "of b.example")],
  ] as const) {
    expect(other.key).not.toBe(first.key);
    const changed = [...other.shared].filter(([each, digest]) => first.shared.get(each) !== digest);
    expect(changed.map(([each]) => each)).toEqual([name]);
  }
  // Sessions with and without internet access take turns: neither ends what waits for the other.
  const closed = recipe({ session: { mode: "off", hosts: [] } }, "of a.example");
  expect(closed.key).not.toBe(first.key);
  expect(closed.shared).toEqual(first.shared);
});
