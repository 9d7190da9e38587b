# Forks a guest that has loaded its agent: each child goes on as if it had loaded it by itself. Who has started the
# guest holds it at each fork, and has made the child a sandbox of its own, without descriptors, before that goes on.

import fcntl
import os
import signal
import sys

# The socket that gives a child its descriptors, in the child's own network namespace.
_ADDRESS = "\0dari"
_DESCRIPTORS = (1, 2, 3)
# What every fork answers in a template that is held, whatever number its child has.
_ANSWER = 2


def fork_for_each_turn() -> None:
    """Returns in each child, with output, log and channel at descriptors 1 to 3; the template never comes back."""
    import socket

    # A directory that all children would have in common.
    os.chdir("/")
    # Nobody asks of children that have ended.
    at_death = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while child := os.fork():
        # Held by nobody it would fork without end.
        if child != _ANSWER:
            os._exit(1)
    # None means that the handler was not set by Python and cannot be restored.
    signal.signal(signal.SIGCHLD, signal.SIG_DFL if at_death is None else at_death)
    _take_descriptors(socket)
    _be_second_process()
    _draw_other_numbers()


def _take_descriptors(socket) -> None:
    with socket.socket(socket.AF_UNIX) as link:
        link.connect(_ADDRESS)
        _, taken, _, _ = socket.recv_fds(link, 1, len(_DESCRIPTORS))
    # Out of the way: none of them may lie where another one belongs.
    beyond = [fcntl.fcntl(descriptor, fcntl.F_DUPFD, max(_DESCRIPTORS) + 1) for descriptor in taken]
    for descriptor, copy in zip(_DESCRIPTORS, beyond):
        os.dup2(copy, descriptor)
    # To read from: an end of nobody's.
    end, other = os.pipe()
    os.dup2(end, 0)
    # Where it is that end already, it would not reach what the agent starts.
    os.set_inheritable(0, True)
    os.closerange(max(_DESCRIPTORS) + 1, max(other, end, *taken, *beyond) + 1)


def _be_second_process() -> None:
    """The first of a namespace hears no signal of its own, and has to wait for all that lose their parent."""
    guest = os.fork()
    if guest == 0:
        return
    # What the agent's code has to say to signals is for its own process.
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(number, signal.SIG_DFL)
    os.closerange(0, max(_DESCRIPTORS) + 1)
    while True:
        ended, status = os.wait()
        if ended == guest:
            code = os.waitstatus_to_exitcode(status)
            os._exit(code if code >= 0 else 128 - code)


def _draw_other_numbers() -> None:
    """Seeds numpy's generator. Python's own one is seeded after a fork, numpy's is not."""
    generator = sys.modules.get("numpy.random")
    if generator is not None:
        generator.seed()
