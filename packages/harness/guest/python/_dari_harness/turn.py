# Runs one turn: a thread reads the frames, and the main thread runs the agent's code.

import gc
import os
import sys
import threading
from contextlib import contextmanager
from types import SimpleNamespace

from . import running
from .channel import Channel, TurnChannel
from .context import Context
from .entrypoint import find_export, kind_of, prepare_runner
from .errors import error_frame
from .event_loop import run_in_one_loop, run_in_own_loop
from .own_network import note_connections, tell_refused_connections


def main(is_template: bool = False) -> None:
    loaded = _load_once() if is_template else None
    channel = Channel(3)
    work = []
    arrived, allowed = threading.Semaphore(0), threading.Event()
    contexts = []

    def on_frame(frame: dict) -> None:
        kind = frame["t"]
        if kind in ("load", "run", "check"):
            if kind == "run":
                allowed.clear()
                contexts[:] = [Context(frame, TurnChannel(channel))]
            work.append(frame)
            arrived.release()
        elif kind == "go":
            allowed.set()
        elif kind == "inbox":
            for context in contexts:
                context.inbox._hint()
        elif kind == "taken":
            for context in contexts:
                context.inbox._deliver(frame["messages"])
        elif kind == "stepped":
            for context in contexts:
                context._steps.accept(frame)
        elif kind == "cancel":
            for context in contexts:
                context._cancel()

    threading.Thread(target=channel.receive_forever, args=(on_frame,), daemon=True).start()
    _say_ready(channel)
    if loaded is not None:
        channel.send({"t": "loaded"})
    while True:
        arrived.acquire()
        frame = work.pop(0)
        try:
            if frame["t"] == "check":
                value, _ = _load(frame)
                answer = {"t": "checked", "kind": kind_of(value)}
            elif frame["t"] == "load":
                loaded = _load(frame)
                answer = {"t": "loaded"}
            else:
                if loaded is None:
                    # Code that is loaded during its turn sees the turn's files.
                    os.chdir(frame["workspace"])
                    loaded = _load(frame)
                answer = _run(frame, loaded, contexts[0], allowed, channel)
        except (SystemExit, KeyboardInterrupt) as error:
            # The agent ended its process; the host sees how.
            raise error.with_traceback(None) from None
        except BaseException as error:
            answer = error_frame(error)
            if contexts:
                answer["usage"] = contexts[0]._used_by_now()
                answer["delivered"] = contexts[0].inbox._delivered()
                contexts[0]._activity.send_omitted(channel)
            channel.send(answer)
            # The host reads the answer and ends this process.
            threading.Event().wait()
        channel.send(answer)


def _say_ready(channel: Channel) -> None:
    version = ".".join(str(part) for part in sys.version_info[:3])
    channel.send({"t": "ready", "protocol": 1, "runtime": f"python {version}"})


def _load_once() -> tuple:
    """Loads the agent, and returns it in each child of this process once the host has allowed forks."""
    from .sdk.openai_preload import preload_openai
    from .template import fork_for_each_turn

    channel = Channel(3, stays=True)
    _say_ready(channel)
    before = _memory_files()
    try:
        loaded = _load(channel.receive())
        with _no_collection():
            preload_openai()
    except (SystemExit, KeyboardInterrupt) as error:
        raise error.with_traceback(None) from None
    except BaseException as error:
        channel.send(error_frame(error))
    else:
        channel.send({"t": "loaded", "hasLeft": _memory_files() != before})
        if channel.receive()["t"] == "fork":
            fork_for_each_turn()
            _know_main_thread()
            return loaded
    # The host ends this process.
    channel.receive()
    raise SystemExit(1)


def _know_main_thread() -> None:
    """Updates the thread id, which Python reads once and a fork changes."""
    main_thread = threading.main_thread()
    if hasattr(main_thread, "_set_native_id"):
        main_thread._set_native_id()


def _memory_files() -> list:
    """Returns the files in directories of which each child gets its own, empty ones."""
    return [sorted(os.listdir(path)) for path in ("/tmp", "/dev/shm") if os.path.isdir(path)]


def _load(frame: dict) -> tuple:
    # For the agent and its child processes.
    os.environ["DARI_BUNDLE_DIR"] = frame["imageDir"]
    with _no_collection():
        value = find_export(frame["entry"], _real(frame))
        return value, prepare_runner(value, frame)


@contextmanager
def _no_collection():
    """Stops garbage collection: scanning imported objects, which stay, takes a sixth of a large SDK's load time."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.freeze()


def _run(frame: dict, loaded: tuple, context: Context, allowed: threading.Event, channel: Channel) -> dict:
    value, run = loaded
    own = context._channel
    again = frame.get("again", False)
    turn = SimpleNamespace(
        prompt=frame["prompt"],
        context=context,
        limits=frame["limits"],
        max_turns=frame.get("maxTurns"),
        channel=own,
        run_async=run_in_one_loop if again else run_in_own_loop,
    )
    channel.send({"t": "started"})
    allowed.wait()
    # The directory that the process was started in may have been replaced by the turn's files.
    os.chdir(frame["workspace"])
    note_connections()
    running.context = context
    try:
        result = run(value, turn)
    finally:
        context.inbox._end()
        tell_refused_connections()
    if again:
        # Another turn may follow: this one can send nothing more, and its directory is released.
        own.end()
        running.context = None
        os.chdir("/")
    context._activity.send_omitted(channel)
    usage = context._usage.with_used(result.get("usage"))
    return {"t": "result", **result, "usage": usage, "delivered": context.inbox._delivered()}


def _real(frame: dict) -> str:
    return os.path.realpath(frame["imageDir"])
