// What agents are called, for lists that name them by their ids.

import { shortId } from "./format.ts";
import { useAccount } from "./account.ts";
import { useLoaded } from "./load.ts";

/** So many are known by name; the others are called by their ids. */
const named = 500;

/** The name of an agent, or its short id until the names are there. */
export function useAgentNames(): (agentId: string) => string {
  const { client } = useAccount();
  const { value } = useLoaded("agents by name", (signal) => client.listAgents({ limit: named }, { signal }));
  return (agentId) => value?.data.find(({ id }) => id === agentId)?.name ?? shortId(agentId);
}
