// Whose rules apply to a turn's agent.

import { decideEgress } from "@dari/network";
import { expect, test } from "@jest/globals";
import { createEgressPolicy } from "./egress-policy.ts";

const platform = { mode: "open", rules: [] } as const;
const everything = { mode: "open", hosts: [] } as const;
const nothing = { mode: "off", hosts: [] } as const;

test("a session that was created without internet access reaches nothing, whatever the other rules allow", () => {
  const manifest = { egress: ["api.example.com"] } as never;
  const allowed = createEgressPolicy(platform, { egress: { organization: everything }, manifest });
  expect(decideEgress(allowed, "api.example.com", 443)).toMatchObject({ allowed: true });
  const egress = { organization: everything, session: nothing };
  const off = createEgressPolicy(platform, { egress, manifest });
  expect(decideEgress(off, "api.example.com", 443)).toMatchObject({
    allowed: false,
    reason: expect.stringContaining("internet_access: false"),
  });
});
