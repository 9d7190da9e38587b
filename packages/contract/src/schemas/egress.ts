// Which hosts an organization's agents may connect to: rules of its admins, within the rules of the operators.

import { egressHostChars, egressHostExpected, egressHostPattern, egressModes, limits } from "@dari/domain";
import Type, { type Static } from "typebox";
import { nullable, oneOf, noOtherFields, timestamp } from "./common.ts";

/** Hosts in a request. */
export function egressHosts(description: string) {
  return hostList(egressHostPattern, egressHostExpected, description);
}

/** Hosts of a credential in a request. The proxy inserts values into requests to names, not to addresses. */
export function credentialHosts(description: string) {
  const pattern = egressHostPattern.replace("^", "^(?!([0-9]+\\.){3}[0-9]+(:|$))");
  return hostList(pattern, `${egressHostExpected}, not an address`, description);
}

function hostList(pattern: string, expected: string, description: string) {
  const host = Type.String({ pattern, maxLength: egressHostChars, "x-expected": expected });
  return Type.Array(host, { uniqueItems: true, maxItems: limits.egressHostsMax, description });
}

const mode = oneOf(egressModes);

export const PutEgressRequest = Type.Object(
  {
    mode,
    hosts: Type.Optional(egressHosts("Hosts that mode `allow` permits. Absent or empty in the other modes.")),
  },
  { ...noOtherFields, title: "PutEgressRequest" },
);
export type PutEgressRequest = Static<typeof PutEgressRequest>;

const EgressSetting = Type.Object(
  {
    mode: Type.Unsafe<(typeof egressModes)[number]>({
      ...mode,
      description: "`off`: no host. `allow`: only `hosts`. `open`: every public address that the platform allows.",
    }),
    hosts: Type.Array(Type.String()),
    updated_at: timestamp,
  },
  { title: "EgressSetting" },
);

export const EgressRecord = Type.Object(
  {
    organization: nullable(EgressSetting),
    operator: nullable(EgressSetting),
  },
  {
    title: "Egress",
    description:
      "An agent reaches a host if both rules allow it, the platform's setting allows it, and the agent's dari.yml " +
      "allows it. Null: no rule is set, and nothing is restricted.",
  },
);
export type EgressRecord = Static<typeof EgressRecord>;
