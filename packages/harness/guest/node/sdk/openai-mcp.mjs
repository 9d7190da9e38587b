// MCP servers of an `Agent`. A bundle that exports an Agent does not connect them itself, so the guest does. Servers
// that the agent's code has connected stay unchanged.

/**
 * Connects the unconnected servers of the agent and of its handoffs. Resolves with a function that closes them. Throws
 * the first server's error, with none left open.
 */
export async function connectServers(agent) {
  const connected = [];
  const close = () => Promise.allSettled(connected.map((server) => server.close()));
  try {
    for (const server of serversOf(agent)) {
      if (!isUnconnected(server)) continue;
      connected.push(server);
      await server.connect();
    }
  } catch (error) {
    await close();
    throw error;
  }
  return close;
}

function serversOf(agent, seen = new Set(), servers = new Set()) {
  if (seen.has(agent)) return servers;
  seen.add(agent);
  for (const server of agent?.mcpServers ?? []) servers.add(server);
  for (const handoff of agent?.handoffs ?? []) serversOf(handoff.agent ?? handoff, seen, servers);
  return servers;
}

/** The SDK's own servers are unconnected while their session is null. */
const isUnconnected = (server) => (server.underlying ?? server).session === null;
