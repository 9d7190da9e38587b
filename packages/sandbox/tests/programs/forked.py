# A template: runs the given code, and forks on request. Each child takes its descriptors and becomes the named program,
# or runs each received line of code and prints `result`.
import json
import os
import signal
import socket
import sys

code, program = sys.argv[1], sys.argv[2:]
result, place, told = None, "/", lambda: None
exec(code)
os.write(3, (json.dumps(result) + "\n").encode())
os.read(3, 1)
os.chdir(place)
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
told()
while os.fork():
    pass


def take_descriptors():
    with socket.socket(socket.AF_UNIX) as link:
        link.connect("\0dari")
        taken = socket.recv_fds(link, 1, 3)[1]
    beyond = [os.dup(descriptor) for descriptor in [*taken, *taken]][3:]
    for number, descriptor in enumerate(beyond, 1):
        os.dup2(descriptor, number)
    os.dup2(os.pipe()[0], 0)
    os.closerange(4, 64)


def be_second():
    for ignored in (signal.SIGCHLD, signal.SIGPIPE, signal.SIGXFSZ, signal.SIGINT):
        signal.signal(ignored, signal.SIG_DFL)
    second = os.fork()
    if second == 0:
        return
    os.closerange(0, 4)
    while True:
        ended, status = os.wait()
        if ended == second:
            code = os.waitstatus_to_exitcode(status)
            os._exit(code if code >= 0 else 128 - code)


def obey():
    with open(3, "r+b", buffering=0) as channel:
        while line := channel.readline():
            names["result"] = None
            try:
                exec(json.loads(line), names)
            except OSError as error:
                names["result"] = error.strerror
            channel.write((json.dumps(names["result"]) + "\n").encode())


names = globals()
take_descriptors()
be_second()
os.chdir("/workspace")
if program:
    try:
        os.execv(program[0], program)
    finally:
        os._exit(127)
obey()
