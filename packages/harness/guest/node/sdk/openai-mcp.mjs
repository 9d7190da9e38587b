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

const toolNames = new WeakMap();

/** Remembers the names of the server's tools whenever the SDK lists them. */
export function noteTools(server) {
  if (toolNames.has(server) || typeof server.listTools !== "function" || Object.isFrozen(server)) return;
  const names = new Set();
  toolNames.set(server, names);
  const { listTools } = server;
  server.listTools = async function (...given) {
    const tools = await listTools.apply(this, given);
    for (const tool of tools ?? []) names.add(tool?.name);
    return tools;
  };
}

/** Returns the name of the agent's server that has this tool; undefined if none has. */
export function serverOf(agent, tool) {
  return (agent.mcpServers ?? []).find((server) => toolNames.get(server)?.has(tool))?.name;
}
