# Servers of the Model Context Protocol that an `Agent` names. A bundle that exports an Agent does not run it, so the
# guest connects them. Servers that the agent's own code has connected stay as they are.

from contextlib import asynccontextmanager, suppress


@asynccontextmanager
async def connected_servers(agent):
    """
    Connects the servers of the agent, and of all that it may hand over to, that nobody has connected yet, for as long
    as the context lasts. Raises the first server's error, with none left open.
    """
    connected = []
    try:
        for server in _servers_of(agent, set(), []):
            if getattr(server, "session", server) is None:
                connected.append(server)
                await server.connect()
        yield
    finally:
        # In the reverse order and by the task that connected them: their cancel scopes are nested. One that does not
        # end well takes neither the answer nor the first error with it.
        for server in reversed(connected):
            with suppress(Exception):
                await server.cleanup()


def _servers_of(agent, seen: set, servers: list) -> list:
    if agent is None or id(agent) in seen:
        return servers
    seen.add(id(agent))
    servers += [server for server in getattr(agent, "mcp_servers", None) or [] if server not in servers]
    for handoff in getattr(agent, "handoffs", None) or []:
        # A handoff keeps its agent weakly; an agent that stands for itself has no such reference.
        refer = getattr(handoff, "_agent_ref", None)
        _servers_of(refer() if callable(refer) else handoff, seen, servers)
    return servers
