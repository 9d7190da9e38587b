# What enter.c does, for a machine without a C compiler: listens on loopback ports, hands the listening sockets to the
# worker and becomes the program.

import os
import socket
import sys

ports, program = sys.argv[1], sys.argv[2]
channel = socket.socket(fileno=int(os.environ.pop("NODE_CHANNEL_FD")))
channel.setblocking(True)
os.environ.pop("NODE_CHANNEL_SERIALIZATION_MODE", None)
for port in ports.split(","):
    listener = socket.create_server(("127.0.0.1", int(port)), backlog=511)
    frame = '{"cmd":"NODE_HANDLE","type":"net.Server","msg":%s}\n' % port
    socket.send_fds(channel, [frame.encode()], [listener.fileno()])
    # One acknowledgement is one line. Waiting for it keeps the descriptors of two messages apart.
    while channel.recv(1) not in (b"\n", b""):
        pass
    listener.close()
channel.close()
os.execv(program, sys.argv[2:])
