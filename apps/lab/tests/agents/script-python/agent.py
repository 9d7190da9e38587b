# An agent that plays a script: its prompt is a list of [verb, ...arguments], its answer the list of their results.

import json
import os
import signal
import sys
import time
import urllib.request


def agent(prompt, context):
    results = []
    for verb, *args in json.loads(prompt):
        if verb == "answer":
            return object()
        results.append(VERBS[verb](context, *args))
    return json.dumps(results)


def fail(_, message):
    raise RuntimeError(message)


def write(_, path, text):
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def meet(_, url):
    with urllib.request.urlopen(url) as reply:
        reply.read()


def grow(context, mebibytes, seconds, url):
    """Holds one mebibyte more at a time, then all of them until the address answers."""
    held = []
    for _ in range(mebibytes):
        held.append(bytearray(os.urandom(1024)) * 1024)
        time.sleep(seconds / mebibytes)
    meet(context, url)
    return len(held)


def step(context, name, verb, *args):
    """Runs another verb as a step, which first emits its operation key."""

    def run(key):
        context.emit(name, key)
        return VERBS[verb](context, *args)

    return context.step(name, run)


VERBS = {
    "throw": fail,
    "exit": lambda _, code: sys.exit(code),
    "leave": lambda _, code: os._exit(code),
    "kill": lambda _, name: os.kill(os.getpid(), getattr(signal, name)),
    "forever": lambda _: time.sleep(600),
    "write": write,
    "grow": grow,
    "meet": meet,
    "step": step,
    "attempt": lambda context: context.attempt,
    "ask": lambda context, key, schema: context.request_input(key, schema),
    "environment": lambda _, *names: [os.environ.get(name) for name in names],
}
