# One turn: frames come in on a thread of their own, the agent's code runs on the main thread.

import os
import sys
import threading
from types import SimpleNamespace

from .channel import Channel
from .context import Context
from .entrypoint import find_export, kind_of, prepare_runner
from .errors import error_frame


def main() -> None:
    channel = Channel(3)
    version = ".".join(str(part) for part in sys.version_info[:3])
    work = []
    arrived, allowed = threading.Event(), threading.Event()
    contexts = []

    def on_frame(frame: dict) -> None:
        kind = frame["t"]
        if kind in ("run", "check"):
            if kind == "run":
                contexts.append(Context(frame, channel))
            work.append(frame)
            arrived.set()
        elif kind == "go":
            allowed.set()
        elif kind == "cancel":
            for context in contexts:
                context._cancel()

    threading.Thread(target=channel.receive_forever, args=(on_frame,), daemon=True).start()
    channel.send({"t": "ready", "protocol": 1, "runtime": f"python {version}"})
    arrived.wait()
    frame = work[0]
    try:
        answer = _check(frame) if frame["t"] == "check" else _run(frame, contexts[0], allowed, channel)
    except (SystemExit, KeyboardInterrupt) as error:
        # The agent ended its process; the host sees how.
        raise error.with_traceback(None) from None
    except BaseException as error:
        answer = error_frame(error)
    channel.send(answer)
    # The host reads the answer and ends this process.
    threading.Event().wait()


def _check(frame: dict) -> dict:
    value = find_export(frame["entry"], _real(frame))
    prepare_runner(value, frame)
    return {"t": "checked", "kind": kind_of(value)}


def _run(frame: dict, context: Context, allowed: threading.Event, channel: Channel) -> dict:
    value = find_export(frame["entry"], _real(frame))
    run = prepare_runner(value, frame)
    channel.send({"t": "started"})
    allowed.wait()
    turn = SimpleNamespace(prompt=frame["prompt"], context=context, limits=frame["limits"], channel=channel)
    return {"t": "result", **run(value, turn)}


def _real(frame: dict) -> str:
    return os.path.realpath(frame["imageDir"])
