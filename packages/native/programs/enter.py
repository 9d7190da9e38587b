# What enter.c does, for a machine without a C compiler: is told what to become, sets limits, listens on loopback ports,
# hands the listening sockets to the worker and becomes the program.

import os
import resource
import socket
import sys

with open(int(sys.argv[1]), "rb") as pipe:
    ports, limits, user, *program, end = pipe.read().split(b"\0")
if end or user or not program:
    sys.exit("sandbox: the worker hung up")
number = os.environ.pop("NODE_CHANNEL_FD", None)
os.environ.pop("NODE_CHANNEL_SERIALIZATION_MODE", None)
if number is not None:
    channel = socket.socket(fileno=int(number))
    channel.setblocking(True)
    for port in filter(None, ports.decode().split(",")):
        listener = socket.create_server(("127.0.0.1", int(port)), backlog=511)
        frame = '{"cmd":"NODE_HANDLE","type":"net.Server","msg":%s}\n' % port
        socket.send_fds(channel, [frame.encode()], [listener.fileno()])
        # One acknowledgement is one line. Waiting for it keeps the descriptors of two messages apart.
        while channel.recv(1) not in (b"\n", b""):
            pass
        listener.close()
    channel.close()
for limit in filter(None, limits.decode().split(",")):
    name, value = limit.split("=")
    resource.setrlimit(getattr(resource, f"RLIMIT_{name.upper()}"), (int(value), int(value)))
os.execv(program[0], program)
