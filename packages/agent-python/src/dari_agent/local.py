# Runs an agent's entrypoint in this process, without a platform: for tests and for a first try.

import importlib
import json
import os
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, Iterator, Literal

__all__ = ["LocalEvent", "LocalInput", "LocalTurn", "run_locally"]

# In the platform's repository, the guest is not a part of this package.
_GUEST = Path(__file__).resolve().parents[3] / "harness/guest/python"
# The same as on the platform (packages/domain/src/limits.ts).
_LIMITS = {
    "eventBytes": 256 * 1024,
    "events": 10_000,
    "activityEvents": 10_000,
    "activityValueBytes": 16 * 1024,
    "activityPreviewBytes": 8 * 1024**2,
    "valueBytes": 8 * 1024**2,
    "valueBytesPerAttempt": 64 * 1024**2,
    "values": 1_000,
    "outputBytes": 8 * 1024**2,
    "frameBytes": 16 * 1024**2,
    "jsonDepth": 128,
    "inputSchemaBytes": 16 * 1024,
    "inputPromptChars": 2_000,
    "inputWaitSeconds": 30 * 86_400,
    "steps": 1_000,
    "stepBytes": 256 * 1024,
    "stepBytesPerMessage": 4 * 1024**2,
}
# The platform's default of run.max_turns.
_MAX_TURNS = 100


@dataclass(frozen=True)
class LocalEvent:
    type: str
    data: Any


@dataclass(frozen=True)
class LocalInput:
    key: str
    schema: dict[str, Any]
    prompt: str | None = None


@dataclass(frozen=True)
class LocalTurn:
    status: Literal["completed", "failed", "waiting_for_input"]
    workspace: str
    # The text of the answer.
    text: str = ""
    parts: list[dict[str, str]] = field(default_factory=list)
    events: list[LocalEvent] = field(default_factory=list)
    usage: dict[str, float] | None = None
    # Why it failed: code, message and stack, as on the platform.
    error: dict[str, str] | None = None
    # What it asked. Run it again with an answer in `answers`.
    input: LocalInput | None = None
    # The recorded steps. Run it again with them in `steps`, like a later attempt.
    steps: list[dict[str, Any]] = field(default_factory=list)


class _Suspended(BaseException):
    """Ends the turn at a question. On the platform, the process ends there."""


class _Channel:
    def __init__(self, on_text: Callable[[str], Any] | None, on_event: Callable[[LocalEvent], Any] | None) -> None:
        self.events: list[LocalEvent] = []
        self.asked: dict[str, Any] | None = None
        self.steps: list[dict[str, Any]] = []
        # Tells the guest that a step is stored.
        self.accept: Callable[[dict[str, Any]], Any] = lambda step: None
        self._inbox: Any = None
        self._messages: list[dict[str, Any]] = []
        self._on_text = on_text
        self._on_event = on_event

    def put_in(self, inbox: Any, texts: Sequence[str]) -> None:
        """Makes messages wait in the inbox from the turn's start."""
        self._inbox = inbox
        parts = [[{"type": "text", "text": text}] for text in texts]
        self._messages = [{"id": f"msg_local_{n + 1}", "parts": part} for n, part in enumerate(parts)]
        if self._messages:
            inbox._hint()

    def send(self, frame: dict[str, Any]) -> None:
        if frame["t"] == "delta" and self._on_text is not None:
            self._on_text(frame["text"])
        elif frame["t"] == "take":
            self._inbox._deliver(self._messages)

    def send_line(self, line: str) -> None:
        frame = json.loads(line)
        if frame["t"] in ("event", "activity"):
            event = LocalEvent(frame["type" if frame["t"] == "activity" else "name"], frame["data"])
            self.events.append(event)
            if self._on_event is not None:
                self._on_event(event)
        elif frame["t"] == "step":
            self.steps.append({name: frame[name] for name in ("name", "ordinal", "json")})
            self.accept(frame)
        elif frame["t"] == "ask":
            self.asked = frame
            raise _Suspended


def run_locally(
    agent: Any,
    prompt: str,
    *,
    answers: Mapping[str, Any] | None = None,
    files: Mapping[str, str | bytes] | None = None,
    metadata: Mapping[str, Any] | None = None,
    history: Sequence[Mapping[str, Any]] = (),
    inbox: Sequence[str] = (),
    steps: Sequence[Mapping[str, Any]] = (),
    workspace: str | None = None,
    home: str | None = None,
    sdk: str = "function",
    cancelled: threading.Event | None = None,
    on_text: Callable[[str], Any] | None = None,
    on_event: Callable[[LocalEvent], Any] | None = None,
) -> LocalTurn:
    """
    Runs one turn. `agent`: the function or SDK object, or its entrypoint as in dari.yml ("agent.py:agent"). `inbox`:
    messages that steer the turn. `steps`: those of an earlier run of the same message, whose results this run gets.
    Changes the working directory and HOME of this process until the turn ends, so run one turn at a time.
    """
    room = _directory(workspace, "workspace")
    frame = {
        "entry": _entry_of(agent),
        "workspace": room,
        "limits": {**_LIMITS, "values": 0},
        "sdk": sdk,
        "context": {
            "sessionId": "sess_local",
            "messageId": "msg_local",
            "attempt": 1,
            "parts": [{"type": "text", "text": prompt}, *_write_files(files or {}, room)],
            "metadata": dict(metadata or {}),
            "history": list(history),
            "operationKey": "msg_local",
            "traceparent": "00-00000000000000000000000000000001-0000000000000001-01",
            "answers": dict(answers or {}),
            "steps": [dict(step) for step in steps],
        },
    }
    channel = _Channel(on_text, on_event)
    channel.steps.extend(frame["context"]["steps"])
    context = _harness("context").Context(frame, channel)
    channel.accept = context._steps.accept
    if cancelled is not None:
        context.cancelled = cancelled
    channel.put_in(context.inbox, inbox)
    with _in_place_of_worker(_directory(home, "home")):
        end = _end_of(agent, prompt, frame, context, channel)
    return LocalTurn(workspace=room, events=channel.events, steps=channel.steps, **end)


def _end_of(
    agent: Any, prompt: str, frame: dict[str, Any], context: Any, channel: _Channel
) -> dict[str, Any]:
    running = _harness("running")
    try:
        value = agent
        if isinstance(agent, str):
            value = _harness("entrypoint").find_export(frame["entry"], os.getcwd())
        runner = _harness("entrypoint").prepare_runner(value, frame)
        run_async = _harness("event_loop").run_in_own_loop
        turn = SimpleNamespace(
            prompt=prompt, context=context, limits=_LIMITS, channel=channel, run_async=run_async, max_turns=_MAX_TURNS
        )
        os.chdir(frame["workspace"])
        running.context = context
        result = runner(value, turn)
        context.inbox._end()
    except _Suspended:
        asked = channel.asked or {}
        question = LocalInput(asked["key"], asked["schema"], asked.get("prompt"))
        return {"status": "waiting_for_input", "input": question, "usage": context._used_by_now()}
    except Exception as error:
        described = _harness("errors").error_frame(error)
        return {"status": "failed", "error": {key: described[key] for key in ("code", "message", "stack")}}
    finally:
        running.context = None
    text = "\n\n".join(part["text"] for part in result["parts"] if part.get("type") == "text")
    usage = context._usage.with_used(result.get("usage"))
    return {"status": "completed", "text": text, "parts": result["parts"], "usage": usage}


def _harness(name: str) -> ModuleType:
    """Returns a module of the guest, which decides how an agent runs."""
    try:
        return importlib.import_module(f"dari_agent._harness.{name}")
    except ModuleNotFoundError:
        if str(_GUEST) not in sys.path:
            sys.path.append(str(_GUEST))
        return importlib.import_module(f"_dari_harness.{name}")


def _entry_of(agent: Any) -> dict[str, str]:
    if not isinstance(agent, str):
        return {"file": "agent", "export": "agent"}
    file, _, name = agent.partition(":")
    if not file or not name:
        raise TypeError(f"expected <file>:<export>, got {agent!r}")
    return {"file": file, "export": name}


def _directory(path: str | None, name: str) -> str:
    if path is None:
        return os.path.realpath(tempfile.mkdtemp(prefix=f"dari-{name}-"))
    os.makedirs(path, exist_ok=True)
    return os.path.realpath(path)


def _write_files(files: Mapping[str, str | bytes], workspace: str) -> list[dict[str, str]]:
    parts = []
    for name, content in files.items():
        path = f"/input/{os.path.basename(name)}"
        local_path = Path(workspace + path)
        local_path.parent.mkdir(parents=True, exist_ok=True)
        local_path.write_bytes(content.encode() if isinstance(content, str) else content)
        parts.append({"type": "file", "path": path, "local_path": str(local_path)})
    return parts


@contextmanager
def _in_place_of_worker(home: str) -> Iterator[None]:
    """Restores what a turn changes in this process."""
    cwd, path, variables = os.getcwd(), list(sys.path), dict(os.environ)
    os.environ.update(HOME=home, DARI_BUNDLE_DIR=cwd)
    try:
        yield
    finally:
        os.chdir(cwd)
        sys.path[:] = path
        for name in ("HOME", "DARI_BUNDLE_DIR"):
            if name in variables:
                os.environ[name] = variables[name]
            else:
                os.environ.pop(name, None)
