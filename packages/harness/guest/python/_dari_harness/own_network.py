# Explains refused connections in the log: the sandbox has its own loopback, and everything else must go through the
# proxy. The client's own error often names neither the address nor the reason.

import errno
import os
import sys

_REFUSALS = {errno.ECONNREFUSED, errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EACCES, errno.EPERM}
_UNDER_WAY = {errno.EINPROGRESS, errno.EWOULDBLOCK}
_DESTINATIONS_MAX = 20
# (address, port) of refused connections, in order.
_refused: dict = {}


def note_connections() -> None:
    """Watches the sockets of an agent that has loaded them, in a sandbox whose network is a proxy."""
    socket = sys.modules.get("socket")
    proxy = os.environ.get("HTTPS_PROXY", "")
    if socket is None or not proxy or hasattr(socket.socket, "_dari_noted"):
        return
    socket.socket._dari_noted = True
    proxy_port = int(proxy.rpartition(":")[2])
    connect, connect_ex = socket.socket.connect, socket.socket.connect_ex

    def noted(self, address):
        try:
            result = connect(self, address)
        except OSError as error:
            _note(address, error.errno, proxy_port)
            raise
        _note(address, 0, proxy_port)
        return result

    def noted_ex(self, address):
        code = connect_ex(self, address)
        _note(address, code, proxy_port)
        return code

    socket.socket.connect, socket.socket.connect_ex = noted, noted_ex


def _note(address, code, proxy_port: int) -> None:
    if not isinstance(address, tuple) or address[1] == proxy_port:
        return
    destination = address[:2]
    if code in _UNDER_WAY and _is_loopback(destination[0]):
        code = 0 if destination[1] in _listening_ports() else errno.ECONNREFUSED
    if code in _REFUSALS:
        if len(_refused) < _DESTINATIONS_MAX:
            _refused[destination] = True
    elif code == 0:
        # Ignore refusals from before a server was ready.
        _refused.pop(destination, None)


def tell_refused_connections() -> None:
    """Called at the end of a turn: logs the connections that were refused in it."""
    if not _refused:
        return
    lines = dict.fromkeys(_line_of(str(host), port) for host, port in _refused)
    _refused.clear()
    try:
        os.write(2, "".join(lines).encode())
    except OSError:
        pass  # the agent has closed its stderr


def _is_loopback(host) -> bool:
    return host in ("localhost", "::1") or str(host).startswith("127.")


def _line_of(host: str, port: int) -> str:
    import ipaddress

    if _is_loopback(host):
        where = f"127.0.0.1:{port}"
        own = "nothing listens there in the sandbox, which has its own loopback"
        advice = f"operators open a port of their machine with DARI_EGRESS_ALLOW={where}"
        return f"egress: {where} refused: {own}; {advice}\n"
    where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    reason = "the client did not use the sandbox's proxy (HTTPS_PROXY)"
    try:
        is_private = ipaddress.ip_address(host.partition("%")[0]).is_private
    except ValueError:
        is_private = False
    if is_private:
        reason += f", which reaches a private address only where operators set DARI_EGRESS_ALLOW={where}"
    else:
        reason += ", and there is no other network"
    return f"egress: {where} refused: {reason}\n"


def _listening_ports() -> set:
    ports = set()
    for name in ("tcp", "tcp6"):
        try:
            with open(f"/proc/self/net/{name}", encoding="ascii") as table:
                rows = [line.split() for line in table][1:]
        except OSError:
            continue
        ports.update(int(row[1].rpartition(":")[2], 16) for row in rows if row[3] == "0A")
    return ports
