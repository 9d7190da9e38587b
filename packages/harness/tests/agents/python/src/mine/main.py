# A package in src/, whose modules have names of the standard library's.

import importlib

from mine.queue import GREETING

assert hasattr(importlib.import_module("queue"), "Queue")


def agent(prompt):
    return f"{GREETING} {prompt} in {__name__}"
