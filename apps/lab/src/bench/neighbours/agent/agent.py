"""An agent that takes what the kernel counts per user or per machine. Its prompt is [verb, bound, seconds]; it stops at
the bound and holds what it has for the seconds, so that a run never takes more than its machine can give."""

import array
import ctypes
import fcntl
import json
import mmap
import os
import select
import signal
import socket
import threading
import time

from takes import MiB, call, in_children, keep, libc, repeat, syscall

# What the kernel counts per user of the host.


def epoll_watches(bound, end):
    files = [keep(os.eventfd(0)) for _ in range(500)]
    sets = [keep(select.epoll()) for _ in range(max(1, bound // len(files)))]
    return repeat(len(sets) * len(files), lambda n: sets[n // len(files)].register(files[n % len(files)]))


def epoll_by_duplicates(bound, end):
    """A watch is of a file and a number, so that few descriptors have many."""
    watcher, files = keep(select.epoll()), [keep(os.eventfd(0)) for _ in range(200)]

    def one(n):
        number = 1_000 + n // len(files)
        os.dup2(files[n % len(files)], number)
        watcher.register(number)
        os.close(number)

    return repeat(bound, one)


def inotify_instances(bound, end):
    return repeat(bound, lambda n: call("inotify_init1", 0))


def inotify_watches(bound, end):
    watcher = call("inotify_init1", 0)

    def one(n):
        os.mkdir(f"/tmp/w{n}")
        call("inotify_add_watch", watcher, f"/tmp/w{n}".encode(), 2)

    return repeat(bound, one)


def descriptors_under_way(bound, end):
    some = [os.eventfd(0) for _ in range(200)]

    def one(n):
        a, b = socket.socketpair()
        keep((a, b))
        a.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", some))])

    return repeat(max(1, bound // len(some)), one)


def timers(bound, end):
    timer = ctypes.c_void_p()
    return repeat(bound, lambda n: call("timer_create", 1, None, ctypes.byref(timer)))


def queued_signals(bound, end):
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGRTMIN])
    thread = ctypes.c_ulong(threading.get_ident())

    def one(n):
        if (number := libc.pthread_sigqueue(thread, int(signal.SIGRTMIN), None)) != 0:
            raise OSError(number, "pthread_sigqueue")

    return repeat(bound, one)


def pipes(bound, end):
    return repeat(bound, lambda n: keep(os.pipe()))


def large_pipes(bound, end):
    return repeat(bound, lambda n: fcntl.fcntl(keep(os.pipe())[1], 1031, MiB))


def message_queues(bound, end):
    return repeat(bound, lambda n: call("mq_open", f"/q{n}".encode(), os.O_CREAT | os.O_RDWR, 0o600, None))


def locked_shared_memory(bound, end):
    def one(n):
        number = call("shmget", 0, 64 * 1024, 0o1600)
        call("shmctl", number, 11, None)

    return repeat(bound, one)


def locked_memory(bound, end):
    area = keep(mmap.mmap(-1, bound))
    pointer = ctypes.addressof(ctypes.c_char.from_buffer(area))
    return repeat(1, lambda n: call("mlock", ctypes.c_void_p(pointer), ctypes.c_size_t(bound)))


def keys(bound, end):
    return repeat(bound, lambda n: syscall(248, 0, 0, 0, 0, 0))


def user_namespaces(bound, end):
    return repeat(bound, lambda n: syscall(272, 0x10000000))


def processes_that_sleep(bound, end):
    return in_children(bound, 0, lambda _: None)


# What it counts per machine.


def terminals(bound, end):
    return repeat(bound, lambda n: keep(os.openpty()))


def aio_events(bound, end):
    context = ctypes.c_ulong(0)
    return repeat(bound, lambda n: syscall(206, 128, ctypes.addressof(context)))


def semaphores(bound, end):
    return repeat(bound, lambda n: call("semget", 0, 10, 0o1600))


def shared_segments(bound, end):
    return repeat(bound, lambda n: call("shmget", 0, 4096, 0o1600))


def message_segments(bound, end):
    return repeat(bound, lambda n: call("msgget", 0, 0o1600))


def io_uring(bound, end):
    return repeat(1, lambda n: syscall(425, 8, 0))


def fanotify(bound, end):
    return repeat(1, lambda n: syscall(300, 0, 0))


def perf_events(bound, end):
    return repeat(1, lambda n: syscall(298, 0, 0, 0, 0, 0))


def open_files(bound, end):
    return in_children(8, bound // 8, lambda each: repeat(each, lambda n: keep(os.open("/dev/null", os.O_RDONLY))))


def file_locks(bound, end):
    target = keep(open("/tmp/locked", "wb+"))
    return repeat(bound, lambda n: fcntl.lockf(target, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, 2 * n))


# What it lets one process do to others through files that they share.


def shared_files():
    in_etc = ["/etc/passwd", "/etc/nsswitch.conf", "/etc/ld.so.cache"]
    names = [*in_etc, "/.sandbox/dari-native", os.__file__, "/usr/bin/env"]
    return [name for name in names if os.path.exists(name)]


def leases(bound, end):
    held = []
    for name in shared_files():
        try:
            file = keep(os.open(name, os.O_RDONLY))
            fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_WRLCK)
            held.append(name)
        except OSError:
            pass
    return len(held), None


def directory_notices(bound, end):
    return repeat(1, lambda n: fcntl.fcntl(keep(os.open("/etc", os.O_RDONLY)), fcntl.F_NOTIFY, 0x80000001))


def whole_file_locks(bound, end):
    held = 0
    for name in shared_files():
        try:
            fcntl.flock(keep(open(name, "rb")), fcntl.LOCK_EX | fcntl.LOCK_NB)
            held += 1
        except OSError:
            pass
    return held, None


def watch_shared_files(bound, end):
    """Events of its own that others cause; its own opening is over before it watches."""
    watcher = call("inotify_init1", 0o4000)
    for name in ["/etc/passwd", "/etc/nsswitch.conf", "/.sandbox/dari-native"]:
        libc.inotify_add_watch(watcher, name.encode(), 0xFFF)
    time.sleep(max(0, end - time.time()))
    try:
        return len(os.read(watcher, 65536)) // 16, None
    except OSError:
        return 0, None


# Memory that is no process's own.


def memory_in_sockets(bound, end):
    def fill(each):
        while each > 0:
            a, b = keep(socket.socketpair())
            a.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, MiB)
            a.setblocking(False)
            try:
                while each > 0:
                    each -= a.send(bytes(65536))
            except BlockingIOError:
                pass

    return in_children(4, bound // 4, fill)


def memory_in_tcp(bound, end):
    listener = keep(socket.create_server(("127.0.0.1", 0)))

    def one(n):
        client = keep(socket.create_connection(listener.getsockname()))
        keep(listener.accept())
        client.setblocking(False)
        try:
            while True:
                client.send(bytes(65536))
        except BlockingIOError:
            pass

    return repeat(bound // (2 * MiB), one)


def memory_in_pipes(bound, end):
    def one(n):
        _, writer = keep(os.pipe())
        os.set_blocking(writer, False)
        try:
            while True:
                os.write(writer, bytes(4096))
        except BlockingIOError:
            pass

    return repeat(bound // 65536, one)


def memory_in_files(bound, end):
    file = keep(os.memfd_create("held"))
    return repeat(bound // MiB, lambda n: os.write(file, bytes(MiB)))


def many_names(bound, end):
    return repeat(bound, lambda n: os.path.exists(f"/tmp/no-{n}"))


# Work.


def busy(bound, end):
    def spin(_):
        while time.time() < end:
            pass
        os._exit(0)

    return in_children(bound, 0, spin)


def busy_sessions(bound, end):
    """Each in a session of its own, which the kernel may take for a group of its own."""

    def spin(_):
        os.setsid()
        while time.time() < end:
            pass
        os._exit(0)

    return in_children(bound, 0, spin)


def fork_bomb(bound, end):
    while time.time() < end:
        try:
            if os.fork() == 0:
                time.sleep(600)
        except OSError:
            pass
    return 0, None


def thread_bomb(bound, end):
    while time.time() < end:
        try:
            threading.Thread(target=time.sleep, args=(600,), daemon=True).start()
        except RuntimeError:
            pass
    return 0, None


def short_processes(bound, end):
    while time.time() < end:
        if (pid := os.fork()) == 0:
            os._exit(0)
        os.waitpid(pid, 0)
    return 0, None


def flushes(bound, end):
    with open("flushed", "wb") as file:
        while time.time() < end:
            file.write(bytes(4096))
            os.fsync(file.fileno())
    os.sync()
    return 0, None


def much_output(bound, end):
    line = b"x" * 65535 + b"\n"
    while time.time() < end:
        os.write(1, line)
    return 0, None


def sparse_files(bound, end):
    for n in range(8):
        with open(f"sparse-{n}", "wb") as file:
            file.truncate(bound // 8)
    return 8, None


def zeros(bound, end):
    with open("zeros", "wb") as file:
        for _ in range(bound // MiB):
            file.write(bytes(MiB))
    return 1, None


def small_files(bound, end):
    def one(n):
        with open(f"small-{n}", "wb") as file:
            file.write(os.urandom(100))

    return repeat(bound, one)


# What files have in addition to their bytes.


def attributes(bound, end):
    with open("marked", "wb") as file:
        file.write(b"same bytes")
    os.utime("marked", (1111, 1111))
    return repeat(1, lambda n: os.setxattr("marked", "user.secret", b"x"))


def look_for_attributes(bound, end):
    """In the turn after `attributes`, or in a session with the same bytes."""
    with open("marked", "ab"):
        pass
    found = len(os.listxattr("marked")) + (os.stat("marked").st_mtime < 10_000)
    return found, None


def agent(prompt):
    verb, bound, seconds = json.loads(prompt)
    end = time.time() + seconds
    count, stopped = globals()[verb](bound, end)
    time.sleep(max(0, end - time.time()))
    return json.dumps({"count": count, "stopped": stopped})
