# The guest of Python agents: loads the entrypoint and runs one turn, with lines of JSON on descriptor 3 (see
# ../../README.md). Standard library only, Python 3.10 and later.

import os
import sys


def start() -> None:
    guest_dir = sys.path[0]
    from _dari_harness import turn
    from _dari_harness.agent_package import provide_agent_package

    # The agent must not find the guest's folder on its path, or write byte code beside its read-only source.
    sys.path.remove(guest_dir)
    sys.dont_write_bytecode = True
    provide_agent_package(os.path.join(guest_dir, "../../../agent-python/src"))
    # Programs that the agent starts: Node reads the proxy variables only if this one is set.
    if os.environ.get("HTTPS_PROXY"):
        os.environ["NODE_USE_ENV_PROXY"] = "1"
    # The agent need not know how it was started.
    is_template = sys.argv.pop() == "template" if len(sys.argv) > 1 else False
    turn.main(is_template)


# Guarded, because multiprocessing imports the main module again in its children.
if __name__ == "__main__":
    start()
