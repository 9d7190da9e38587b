// The names of the organization's agents, for lists that have only ids, and for forms with a choice of agent.

import type { AgentRecord } from "@dari/contract";
import { limits, looksLikeAgentId } from "@dari/domain";
import { useAccount } from "./account.ts";
import { shortId } from "./format.ts";
import { useLoaded } from "./load.ts";

/** Returns the agents of the first page; empty until they are loaded. */
export function useAgents(): readonly AgentRecord[] {
  const { client } = useAccount();
  const { value } = useLoaded("agents", (signal) => client.listAgents({ limit: limits.listLimitMax }, { signal }));
  return value?.data ?? [];
}

/** Returns the name of an agent, or its short id until the names are loaded. A name is returned as it is. */
export function useAgentNames(): (agent: string) => string {
  const agents = useAgents();
  return (agent) => agents.find(({ id }) => id === agent)?.name ?? (looksLikeAgentId(agent) ? shortId(agent) : agent);
}
