"""How an agent takes something again and again, up to a bound."""

import ctypes
import errno
import os
import resource
import time

libc = ctypes.CDLL(None, use_errno=True)
MiB = 1 << 20


def call(name, *args):
    ctypes.set_errno(0)
    result = getattr(libc, name)(*args)
    if result == -1:
        raise OSError(ctypes.get_errno(), name)
    return result


def syscall(number, *args):
    ctypes.set_errno(0)
    result = libc.syscall(ctypes.c_long(number), *[ctypes.c_ulong(arg) for arg in args])
    if result == -1:
        raise OSError(ctypes.get_errno(), f"system call {number}")
    return result


def repeat(bound, one):
    """How often `one` worked, up to `bound`, and why it stopped."""
    for count in range(bound):
        try:
            one(count)
        except (OSError, MemoryError, RuntimeError) as error:
            return count, errno.errorcode.get(getattr(error, "errno", None) or 0, repr(error))
    return bound, None


def in_children(children, bound, one):
    """The same in so many children at once, each up to `bound`, which live on."""
    pids = []
    for _ in range(children):
        pid = os.fork()
        if pid == 0:
            try:
                resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
                one(bound)
            finally:
                time.sleep(600)
        pids.append(pid)
    return children, None


kept = []


def keep(thing):
    kept.append(thing)
    return thing
