// The organization's agents by name: for lists that name them by their ids, and for forms that have one chosen.

import type { AgentRecord } from "@dari/contract";
import { limits } from "@dari/domain";
import { useAccount } from "./account.ts";
import { shortId } from "./format.ts";
import { useLoaded } from "./load.ts";

/** The first of them, as many as one call gives; empty until they are there. */
export function useAgents(): readonly AgentRecord[] {
  const { client } = useAccount();
  const { value } = useLoaded("agents", (signal) => client.listAgents({ limit: limits.listLimitMax }, { signal }));
  return value?.data ?? [];
}

/** The name of an agent, or its short id until the names are there. */
export function useAgentNames(): (agentId: string) => string {
  const agents = useAgents();
  return (agentId) => agents.find(({ id }) => id === agentId)?.name ?? shortId(agentId);
}
