# Gives a child of a template its descriptors, like the worker's program, and prints what the child has then.
import json
import os
import socket
import sys

sys.path.insert(0, sys.argv[1])
from _dari_harness import template


def child_of_template(says):
    says = os.dup2(says, 200)
    os.closerange(0, 200)
    template._take_descriptors(socket)
    found = [[os.fstat(fd).st_ino, os.get_inheritable(fd)] for fd in range(4)]
    left = [fd for fd in range(4, 200) if os.path.exists(f"/proc/self/fd/{fd}")]
    os.write(says, json.dumps([found, os.read(0, 1).decode(), left]).encode())


def answer_of(run):
    heard, says = os.pipe()
    if os.fork() == 0:
        try:
            run(says)
        finally:
            os._exit(0)
    os.close(says)
    return heard


def all_of(heard):
    with open(heard) as file:
        return json.loads(file.read())


listener = socket.socket(socket.AF_UNIX)
listener.bind("\0dari")
listener.listen()
pairs = [socket.socketpair() for _ in range(3)]
heard = answer_of(child_of_template)
link, _ = listener.accept()
socket.send_fds(link, [b"\n"], [ours.fileno() for _, ours in pairs])
found, read, left = all_of(heard)
expected = [[os.fstat(ours.fileno()).st_ino, True] for _, ours in pairs]
print(json.dumps([found[0][1], found[1:] == expected, read, left]))
