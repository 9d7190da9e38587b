// Servers of the Model Context Protocol that an `Agent` names. A bundle that exports an Agent does not run it, so the
// guest connects them. Servers that the agent's own code has connected stay as they are.

/**
 * Connects the servers of the agent, and of all that it may hand over to, that nobody has connected yet. Resolves with
 * what closes those again. Throws the first server's error, with none left open.
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

/** The SDK's own servers say so by a session that is null. */
const isUnconnected = (server) => (server.underlying ?? server).session === null;
