# MCP servers of an `Agent`. A bundle that exports an Agent does not connect them itself, so the guest does. Servers
# that the agent's code has connected stay unchanged.

from contextlib import asynccontextmanager, suppress
from weakref import WeakKeyDictionary

_tool_names = WeakKeyDictionary()


@asynccontextmanager
async def connected_servers(agent):
    """
    Connects the unconnected servers of the agent and of its handoffs, for as long as the context lasts.
    Raises the first server's error, with none left open.
    """
    connected = []
    try:
        for server in _servers_of(agent, set(), []):
            note_tools(server)
            if getattr(server, "session", server) is None:
                connected.append(server)
                await server.connect()
        yield
    finally:
        # In reverse order and in the task that connected them, because their cancel scopes are nested. A failure to
        # close must hide neither the answer nor the first error.
        for server in reversed(connected):
            with suppress(Exception):
                await server.cleanup()


def _servers_of(agent, seen: set, servers: list) -> list:
    if agent is None or id(agent) in seen:
        return servers
    seen.add(id(agent))
    servers += [server for server in getattr(agent, "mcp_servers", None) or [] if server not in servers]
    for handoff in getattr(agent, "handoffs", None) or []:
        # A handoff keeps only a weak reference to its agent; a plain agent has no such attribute.
        refer = getattr(handoff, "_agent_ref", None)
        _servers_of(refer() if callable(refer) else handoff, seen, servers)
    return servers


def note_tools(server) -> None:
    """Remembers the names of the server's tools whenever the SDK lists them."""
    list_tools = getattr(server, "list_tools", None)
    with suppress(Exception):
        if list_tools is None or server in _tool_names:
            return

        async def listing(*args, **kwargs):
            tools = await list_tools(*args, **kwargs)
            _tool_names[server] = {getattr(tool, "name", None) for tool in tools or []}
            return tools

        server.list_tools = listing
        _tool_names[server] = set()


def server_of(agent, tool: str) -> str | None:
    """Returns the name of the agent's server that has this tool; None if none has."""
    for server in getattr(agent, "mcp_servers", None) or []:
        if tool in _tool_names.get(server, ()):
            return getattr(server, "name", None)
    return None
