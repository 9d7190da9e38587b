# Forks a guest that has loaded its agent: each child continues as if it had loaded the agent itself. The starter stops
# the guest at each fork, and gives the child its own sandbox without descriptors before it continues.

import fcntl
import os
import signal
import sys

# The socket from which a child gets its descriptors, in the child's own network namespace.
_ADDRESS = "\0dari"
_DESCRIPTORS = (1, 2, 3)
# The result of every fork in a stopped template, whatever the child's process id is.
_ANSWER = 2


def fork_for_each_turn() -> None:
    """Returns in each child, with output, log and channel at descriptors 1 to 3. Never returns in the template."""
    import socket

    from .huge_pages import collapse_memory

    # All children would share another directory.
    os.chdir("/")
    # No one waits for ended children.
    at_death = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    collapse_memory()
    while child := os.fork():
        # Without a starter that stops it, this would fork endlessly.
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
    # Move them out of the way: none may have the number that another one needs.
    beyond = [fcntl.fcntl(descriptor, fcntl.F_DUPFD, max(_DESCRIPTORS) + 1) for descriptor in taken]
    for descriptor, copy in zip(_DESCRIPTORS, beyond):
        os.dup2(copy, descriptor)
    # Standard input: the read end of a pipe without a writer.
    end, other = os.pipe()
    os.dup2(end, 0)
    # If it already has that number, it would not be inherited.
    os.set_inheritable(0, True)
    os.closerange(max(_DESCRIPTORS) + 1, max(other, end, *taken, *beyond) + 1)


def _be_second_process() -> None:
    """Handles what the first process of a namespace must: default signals have no effect, and it must reap orphans."""
    guest = os.fork()
    if guest == 0:
        return
    # The agent's signal handlers are for its own process.
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(number, signal.SIG_DFL)
    os.closerange(0, max(_DESCRIPTORS) + 1)
    while True:
        ended, status = os.wait()
        if ended == guest:
            code = os.waitstatus_to_exitcode(status)
            os._exit(code if code >= 0 else 128 - code)


def _draw_other_numbers() -> None:
    """Seeds numpy's generator. Python seeds only its own generator after a fork."""
    generator = sys.modules.get("numpy.random")
    if generator is not None:
        generator.seed()
