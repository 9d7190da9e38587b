// Combines the network rules of a turn: of this worker, the platform's operators, the organization, the agent's
// dari.yml and the session. All must allow a host.

import type { Turn } from "@dari/control/turns";
import { modelEndpoint, type EgressHost, type EgressSetting } from "@dari/domain";
import { type EgressOptions, knownModelHosts } from "@dari/gateway";
import { egressHosts, type EgressBound, type EgressPolicy } from "@dari/network";

const advice = {
  platform: "ask the platform's operators to allow it (DARI_EGRESS_ALLOW)",
  operator: "the platform's operators do not allow it for this organization; ask them to allow it",
  organization: "the organization does not allow it; an admin can allow it with `dari egress set`",
  session: "the session was created with internet_access: false; create a session without it",
  manifest: "the agent's dari.yml does not name it under `egress`; add it there and deploy again",
  modelsOnly:
    "the agent's dari.yml has `egress: models-only`, and this is no host of its models; add it under `models` if it " +
    "is one, or remove `egress`, and deploy again",
} as const;

/** Returns the turn's network rules, the credentials that the proxy inserts, and the hosts of models that it meters. */
export function networkMode(platform: EgressPolicy, turn: Turn): Pick<EgressOptions, "policy" | "secrets" | "models"> {
  const secrets = turn.keptSecrets.map((secret) => ({ ...secret, hosts: egressHosts(secret.hosts) }));
  return { policy: createEgressPolicy(platform, turn), secrets, models: turn.manifest.models ?? [] };
}

type RuledTurn = Pick<Turn, "egress" | "manifest" | "keptSecrets">;

export function createEgressPolicy(platform: EgressPolicy, turn: RuledTurn): EgressPolicy {
  const { operator, organization, session } = turn.egress;
  const bounds = [
    ...boundOf(operator, advice.operator),
    ...boundOf(organization, advice.organization),
    ...boundOfManifest(turn),
    ...boundOf(session, advice.session),
  ];
  return { ...platform, advice: advice.platform, bounds };
}

function boundOfManifest(turn: RuledTurn): EgressBound[] {
  const { egress } = turn.manifest;
  if (egress === "models-only") return [{ mode: "allow", hosts: modelHosts(turn), advice: advice.modelsOnly }];
  return boundOf(egress && { mode: "allow", hosts: egress }, advice.manifest);
}

/**
 * Returns the hosts of the agent's models, each with its one port: what it sends there is always read as HTTP. A kept
 * credential makes no other host one of them, such as the rest of `*.googleapis.com`.
 */
function modelHosts({ manifest, keptSecrets }: RuledTurn): EgressHost[] {
  const declared = (manifest.models ?? []).flatMap((model) => modelEndpoint(model) ?? []);
  const kept = keptSecrets.flatMap(({ hosts }) => egressHosts(hosts).flatMap(knownModelHosts));
  return [...declared.map((endpoint) => ({ ...endpoint, subdomains: false })), ...kept];
}

function boundOf(setting: EgressSetting | undefined, text: string): EgressBound[] {
  return setting === undefined ? [] : [{ mode: setting.mode, hosts: egressHosts(setting.hosts), advice: text }];
}
