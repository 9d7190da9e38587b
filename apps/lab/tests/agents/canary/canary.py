# The same agent as canary.mjs, in Python.

import builtins
import ctypes
import json
import mmap
import os
import random
import re
import secrets
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import types
import uuid

try:
    import numpy
except ImportError:
    numpy = None

# Joined at run time, so that this source text is no canary.
PREFIX = "-".join(("dari", "canary", ""))
PATTERN = re.compile(PREFIX + "[0-9a-f]{32}")
BYTES = re.compile((PREFIX + "([0-9a-f]{32})").encode())
PORT = 47_111
PLACES = ("/workspace", "/state", "/tmp", "/dev/shm", "/var/tmp", "/run", "/dev/mqueue", "/agent")
ENV_NAME = "DARI_LEFT"
SHARED_KEY = 0x64617269
LIBC = ctypes.CDLL(None, use_errno=True)

kept = []
generator = random.random
(random.random(), uuid.uuid4(), secrets.token_hex(4), tempfile.mktemp())


class Kept:
    values = []


def agent(prompt, context):
    asked = json.loads(prompt)
    own = asked["canary"][len(PREFIX) :]
    found = look() + (search_memory(own) if asked["searchesMemory"] else [])
    answer = {"found": found, "draws": draw(), "pid": os.getpid(), "state": describe_state()}
    leave(asked["canary"])
    if "exitCode" in asked:
        os._exit(asked["exitCode"])
    return json.dumps(answer)


def look():
    """Returns where something is that an earlier turn could have left."""
    found = []

    def check(where, text):
        if PATTERN.search(str(text)):
            found.append(f"{where}: {text}"[:200])

    check("module", [kept, Kept.values, globals().get("left"), sys.modules.get("left")])
    check("builtins", getattr(builtins, "left", ""))
    check("path", sys.path)
    check("environment", dict(os.environ))
    check("environ", read("/proc/self/environ"))
    for place in PLACES:
        for folder, names, files in os.walk(place):
            for name in names + files:
                check("name", f"{folder}/{name}")
            for name in files:
                check("file", read(f"{folder}/{name}"))
    for pid in (name for name in os.listdir("/proc") if name.isdigit()):
        check("process", read(f"/proc/{pid}/cmdline"))
    check("sockets", read("/proc/net/unix"))
    for fd in os.listdir("/proc/self/fd"):
        check("descriptor", link_of(f"/proc/self/fd/{fd}"))
    if LIBC.shmget(SHARED_KEY, 0, 0) >= 0:
        found.append("shared memory of System V")
    try:
        socket.create_server(("127.0.0.1", PORT)).close()
    except OSError:
        found.append(f"port {PORT} is in use")
    return found


def read(path):
    try:
        with open(path, "rb") as file:
            return file.read().decode("latin-1")
    except OSError:
        return ""


def link_of(path):
    try:
        return os.readlink(path)
    except OSError:
        return ""


def search_memory(own):
    """Searches all writable memory of this process for canaries that are not its own."""
    found = set()
    with open("/proc/self/maps") as maps, open("/proc/self/mem", "rb", 0) as memory:
        for line in maps.read().splitlines():
            ends, rights = line.split()[:2]
            if not rights.startswith("rw"):
                continue
            start, end = (int(part, 16) for part in ends.split("-"))
            try:
                memory.seek(start)
                found.update(digits.decode() for digits in BYTES.findall(memory.read(end - start)))
            except (OSError, OverflowError):
                # The kernel keeps this memory to itself.
                pass
    return [f"memory: {digits}" for digits in found - {own}]


def draw():
    drawn = [random.random(), generator(), uuid.uuid4(), uuid.uuid1(), secrets.token_hex(16), os.urandom(16).hex()]
    drawn += [random.SystemRandom().random(), ssl.RAND_bytes(16).hex(), random.Random().random()]
    if numpy is not None:
        drawn += [numpy.random.random(), numpy.random.default_rng().random()]
    return [str(one) for one in drawn]


def describe_state():
    """Returns what turns can change and every turn must find unchanged."""
    umask = os.umask(0)
    os.umask(umask)
    links = [link_of(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd")]
    count = sum(link.startswith(("socket", "pipe")) for link in links)
    handlers = [str(signal.getsignal(one)) for one in (signal.SIGUSR1, signal.SIGUSR2, signal.SIGCHLD)]
    threads = threading.active_count()
    return json.dumps([os.getcwd(), umask, count, handlers, threads, os.getpriority(os.PRIO_PROCESS, 0), os.getuid()])


def leave(canary):
    kept.append(canary)
    Kept.values.append(canary)
    globals()["left"] = canary
    builtins.left = canary
    sys.modules["left"] = types.SimpleNamespace(left=canary)
    sys.path.append(canary)
    os.environ[ENV_NAME] = canary
    random.seed(1)
    threading.Timer(600, kept.append, [canary]).start()
    signal.signal(signal.SIGUSR2, lambda *_: kept.append(canary))
    for place in PLACES:
        try:
            # Their descriptors stay open.
            kept.append(open(f"{place}/{canary}", "w+"))
            kept[-1].write(canary)
            kept[-1].flush()
        except OSError:
            pass
    shared = mmap.mmap(-1, 4096)
    shared.write(canary.encode())
    kept.append(shared)
    LIBC.shmget(SHARED_KEY, 4096, 0o1666)
    subprocess.Popen(["/bin/sleep", "600", canary], start_new_session=True)
    for family, address in ((socket.AF_UNIX, f"\0{canary}"), (socket.AF_INET, ("127.0.0.1", PORT))):
        listener = socket.socket(family)
        listener.bind(address)
        listener.listen()
        kept.append(listener)
    os.umask(0o13)
    os.chdir("/tmp")
    os.nice(5)
