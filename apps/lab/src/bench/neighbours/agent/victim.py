"""An agent that does a little of all that its neighbours take away, and fails where it gets none."""

import array
import ctypes
import os
import select
import socket
import subprocess


def agent(prompt):
    if prompt == "nothing":
        return "done"
    libc = ctypes.CDLL(None, use_errno=True)
    for call in [lambda: libc.inotify_init1(0), lambda: libc.timer_create(1, None, ctypes.byref(ctypes.c_void_p()))]:
        if call() == -1:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    watcher = select.epoll()
    a, b = socket.socketpair()
    watcher.register(a)
    a.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [b.fileno()]))])
    for end in os.openpty():
        os.close(end)
    reader, writer = os.pipe()
    os.write(writer, bytes(4096))
    with open("/etc/passwd") as file:
        file.read()
    with open("written", "w") as file:
        file.write(prompt)
    subprocess.run(["/usr/bin/env", "true"], check=True)
    return "done"
