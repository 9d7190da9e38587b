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
    arrived, allowed = threading.Semaphore(0), threading.Event()
    contexts = []

    def on_frame(frame: dict) -> None:
        kind = frame["t"]
        if kind in ("load", "run", "check"):
            if kind == "run":
                contexts.append(Context(frame, channel))
            work.append(frame)
            arrived.release()
        elif kind == "go":
            allowed.set()
        elif kind == "cancel":
            for context in contexts:
                context._cancel()

    threading.Thread(target=channel.receive_forever, args=(on_frame,), daemon=True).start()
    channel.send({"t": "ready", "protocol": 1, "runtime": f"python {version}"})
    arrived.acquire()
    frame = work[0]
    try:
        loaded = None
        if frame["t"] == "load":
            # The turn comes later, and with it the workspace in place of the directory that the process started in.
            loaded = _load(frame)
            channel.send({"t": "loaded"})
            arrived.acquire()
            frame = work[1]
            os.chdir(frame["workspace"])
        answer = _check(frame) if frame["t"] == "check" else _run(frame, loaded, contexts[0], allowed, channel)
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


def _load(frame: dict) -> tuple:
    value = find_export(frame["entry"], _real(frame))
    return value, prepare_runner(value, frame)


def _run(frame: dict, loaded: tuple | None, context: Context, allowed: threading.Event, channel: Channel) -> dict:
    value, run = loaded or _load(frame)
    channel.send({"t": "started"})
    allowed.wait()
    turn = SimpleNamespace(prompt=frame["prompt"], context=context, limits=frame["limits"], channel=channel)
    return {"t": "result", **run(value, turn)}


def _real(frame: dict) -> str:
    return os.path.realpath(frame["imageDir"])
