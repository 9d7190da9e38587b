# A program that exceeds a limit without any directory or single process showing it, and waits to be killed for it.
import ctypes
import mmap
import os
import socket
import sys
import threading
import time

MiB = 1 << 20
megabyte = bytes([1]) * MiB


def fill(descriptor, megabytes):
    for _ in range(megabytes):
        os.write(descriptor, megabyte)


def unnamed(name):
    descriptor = os.open(name, os.O_RDWR | os.O_CREAT, 0o600)
    os.unlink(name)
    return descriptor


def unnamedFile():
    fill(unnamed("gone"), 64)


def nameless():
    fill(os.open(".", os.O_RDWR | os.O_TMPFILE, 0o600), 64)


def mappedFile():
    global mapped
    descriptor = unnamed("mapped")
    os.ftruncate(descriptor, 64 * MiB)
    mapped = mmap.mmap(descriptor, 64 * MiB)
    os.close(descriptor)
    mapped[:] = megabyte * 64


def threadsFile():
    libc = ctypes.CDLL(None, use_errno=True)

    def alone():
        CLONE_FILES = 0x400
        # If that is refused, all threads share the descriptor.
        libc.unshare(CLONE_FILES)
        fill(unnamed("thread"), 64)
        time.sleep(600)

    threading.Thread(target=alone).start()


def amongManyDescriptors():
    kept = [os.open("/dev/null", os.O_RDONLY) for _ in range(900)]
    for _ in range(80):
        threading.Thread(target=time.sleep, args=(600,), daemon=True).start()

    def alone():
        CLONE_FILES = 0x400
        ctypes.CDLL(None).unshare(CLONE_FILES)
        descriptor = unnamed("thread")
        while kept:
            fill(descriptor, 10)
            time.sleep(0.2)

    threading.Thread(target=alone).start()


def filesUnderWay():
    global ends
    ends = socket.socketpair()
    while True:
        descriptor = unnamed("passed")
        fill(descriptor, 20)
        socket.send_fds(ends[0], [b"x"], [descriptor])
        os.close(descriptor)
        time.sleep(0.3)


def memoryFiles():
    held = [os.memfd_create("held") for _ in range(4)]
    for descriptor in held:
        fill(descriptor, 100)


def sharedMapping():
    global shared
    shared = mmap.mmap(-1, 400 * MiB)
    for at in range(400):
        shared[at * MiB:(at + 1) * MiB] = megabyte


def inSockets():
    kept, left = [], 300 * MiB
    while left > 0:
        pair = socket.socketpair()
        kept.append(pair)
        pair[0].setblocking(False)
        try:
            while left > 0:
                left -= pair[0].send(megabyte[:65536])
        except BlockingIOError:
            pass
    time.sleep(3)
    sys.exit(0)


def inPipes():
    kept = []
    for _ in range(6):
        if os.fork() == 0:
            break
    for _ in range(1900):
        kept.append(os.pipe())
        os.write(kept[-1][1], megabyte[:4096])
    time.sleep(3)
    sys.exit(0)


def unnamedTmp():
    fill(unnamed("/tmp/gone"), 400)


def busyAlone():
    while True:
        pass


def busy():
    for _ in range(3):
        if os.fork() == 0:
            break
    while True:
        pass


def busySessions():
    for _ in range(3):
        if os.fork() == 0:
            os.setsid()
            busyAlone()


def timers():
    libc = ctypes.CDLL(None)
    timer, made = ctypes.c_void_p(), 0
    while made < 20_000 and libc.timer_create(1, None, ctypes.byref(timer)) == 0:
        made += 1
    print(made, flush=True)
    sys.exit(0)


def untilBounded(bound, take):
    """Says how many it gets. Its namespaces are bounded soon after it was started."""
    made = []
    for _ in range(1000):
        try:
            while len(made) < 400:
                made.append(take())
        except OSError:
            pass
        if len(made) <= bound:
            break
        while made:
            os.close(made.pop())
        time.sleep(0.01)
    print(len(made), flush=True)
    sys.exit(0)


def watchers():
    libc = ctypes.CDLL(None)

    def one():
        if (descriptor := libc.inotify_init1(0)) < 0:
            raise OSError("no more")
        return descriptor

    untilBounded(16, one)


def terminals():
    untilBounded(64, lambda: os.open("/dev/ptmx", os.O_RDWR | os.O_NOCTTY))


def forksForever():
    while True:
        try:
            if os.fork() == 0:
                time.sleep(600)
        except OSError:
            pass


globals()[sys.argv[1]]()
time.sleep(600)
