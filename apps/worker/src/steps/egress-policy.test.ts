// Whose rules apply to a turn's agent.

import { decide } from "@dari/network";
import { expect, test } from "@jest/globals";
import { egressPolicyOf } from "./egress-policy.ts";

const platform = { mode: "open", rules: [] } as const;
const everything = { mode: "open", hosts: [] } as const;
const nothing = { mode: "off", hosts: [] } as const;

test("a session that was created without internet access reaches nothing, whatever everybody else allows", () => {
  const manifest = { egress: ["api.example.com"] } as never;
  const allowed = egressPolicyOf(platform, { egress: { organization: everything }, manifest });
  expect(decide(allowed, "api.example.com", 443)).toMatchObject({ allowed: true });
  const egress = { organization: everything, session: nothing };
  const off = egressPolicyOf(platform, { egress, manifest });
  expect(decide(off, "api.example.com", 443)).toMatchObject({
    allowed: false,
    reason: expect.stringContaining("internet_access: false"),
  });
});
