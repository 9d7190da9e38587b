// Combines the network rules of a turn: of this worker, the platform's operators, the organization, the agent's
// dari.yml and the session. All must allow a host.

import type { Turn } from "@dari/control/turns";
import type { EgressSetting } from "@dari/domain";
import { egressHosts, type EgressBound, type EgressPolicy } from "@dari/network";
import type { EgressOptions } from "@dari/sandbox";

const advice = {
  platform: "ask the platform's operators to allow it (DARI_EGRESS_ALLOW)",
  operator: "the platform's operators do not allow it for this organization; ask them to allow it",
  organization: "the organization does not allow it; an admin can allow it with `dari egress set`",
  session: "the session was created with internet_access: false; create a session without it",
  manifest: "the agent's dari.yml does not name it under `egress`; add it there and deploy again",
} as const;

/** Returns the turn's network rules, and the credentials that the proxy inserts. */
export function networkMode(platform: EgressPolicy, turn: Turn): Pick<EgressOptions, "policy" | "secrets"> {
  const secrets = turn.keptSecrets.map((secret) => ({ ...secret, hosts: egressHosts(secret.hosts) }));
  return { policy: createEgressPolicy(platform, turn), secrets };
}

export function createEgressPolicy(platform: EgressPolicy, turn: Pick<Turn, "egress" | "manifest">): EgressPolicy {
  const { operator, organization, session } = turn.egress;
  const { egress: hosts } = turn.manifest;
  const bounds = [
    ...boundOf(operator, advice.operator),
    ...boundOf(organization, advice.organization),
    ...boundOf(hosts && { mode: "allow", hosts }, advice.manifest),
    ...boundOf(session, advice.session),
  ];
  return { ...platform, advice: advice.platform, bounds };
}

function boundOf(setting: EgressSetting | undefined, text: string): EgressBound[] {
  return setting === undefined ? [] : [{ mode: setting.mode, hosts: egressHosts(setting.hosts), advice: text }];
}
