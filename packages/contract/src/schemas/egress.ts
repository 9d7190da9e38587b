// What an organization's agents may connect to: as its admins say, within what the platform's operators say.

import { egressHostChars, egressHostExpected, egressHostPattern, egressModes, limits } from "@dari/domain";
import Type, { type Static } from "typebox";
import { nullable, oneOf, strict, timestamp } from "./common.ts";

/** Hosts in a request. */
export function egressHosts(description: string) {
  const host = Type.String({
    pattern: egressHostPattern,
    maxLength: egressHostChars,
    "x-expected": egressHostExpected,
  });
  return Type.Array(host, { uniqueItems: true, maxItems: limits.egressHostsMax, description });
}

const mode = oneOf(egressModes);

export const PutEgressRequest = Type.Object(
  {
    mode,
    hosts: Type.Optional(egressHosts("What `allow` allows; with another mode there are none.")),
  },
  { ...strict, title: "PutEgressRequest" },
);
export type PutEgressRequest = Static<typeof PutEgressRequest>;

const EgressSetting = Type.Object(
  {
    mode: Type.Unsafe<(typeof egressModes)[number]>({
      ...mode,
      description: "`off`: nothing. `allow`: the hosts. `open`: every public address that the platform lets through.",
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
      "A destination is reached where both allow it, and the platform's own rule, and the agent's dari.yml. " +
      "Null: nothing was set, so nothing is narrowed.",
  },
);
export type EgressRecord = Static<typeof EgressRecord>;
