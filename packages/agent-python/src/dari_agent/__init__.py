# The package dari_agent. Its functions are those of the running turn's context, for code that does not get the context
# as an argument. Standard library only, so that an agent can be imported and tested anywhere.

import sys
import threading
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Generator, Iterable, Mapping, Sequence
from typing import Any, Generic, Literal, ParamSpec, Protocol, TypedDict, TypeVar, cast

__all__ = [
    "AgentFunction",
    "Context",
    "FilePart",
    "HistoryEntry",
    "Inbox",
    "InboxMessage",
    "Output",
    "TextPart",
    "Tool",
    "cancelled",
    "define_agent",
    "emit",
    "get_context",
    "operation_key",
    "report_usage",
    "request_input",
    "step",
    "tool",
]


class TextPart(TypedDict):
    type: Literal["text"]
    text: str


class _File(TypedDict):
    type: Literal["file", "image"]
    # Path in the workspace, for example /input/report.pdf.
    path: str


class FilePart(_File, total=False):
    """A file or image of a message."""

    # Absolute path to open. Only the parts of the running message have it.
    local_path: str


class HistoryEntry(TypedDict):
    role: Literal["user", "assistant"]
    parts: "list[TextPart | FilePart]"


class InboxMessage(TypedDict):
    """A message that a client has sent to steer the running turn."""

    id: str
    # The text of its text parts.
    text: str
    parts: "list[TextPart]"


class _Messages(list[InboxMessage]):
    """A list that can also be awaited."""

    def __await__(self) -> Generator[Any, None, "_Messages"]:
        return self
        yield


class Inbox(Protocol):
    """
    Messages that clients send with `on_busy: steer` while the turn runs. What is taken becomes a part of this turn;
    what is not becomes the session's next message.
    """

    @property
    def is_waiting(self) -> bool:
        """Whether `take` may return messages."""

    def take(self) -> _Messages:
        """Returns the messages that wait now, oldest first. `await inbox.take()` is the same."""

    def __aiter__(self) -> AsyncIterator[InboxMessage]:
        """Returns each message as it comes. Ends when the entrypoint has returned or the turn is stopped."""


class Context(Protocol):
    """The second argument of an agent's function."""

    session_id: str
    message_id: str
    # 1 for the first attempt of the message.
    attempt: int
    # The message. The prompt is the text of its text parts.
    parts: "list[TextPart | FilePart]"
    metadata: dict[str, Any]
    # The conversation before this message, oldest first.
    history: list[HistoryEntry]
    # Absolute path of the session's directory, which is also the working directory.
    workspace: str
    # The same in every attempt of the message: pass it to services that must not act twice.
    operation_key: str
    # W3C trace context of the attempt.
    traceparent: str
    # Set when the message is cancelled or its time limit is reached.
    cancelled: threading.Event
    # Messages that steer this turn.
    inbox: Inbox

    def emit(self, type: str, data: Any = None) -> None:
        """Records an event of the session. Raises TypeError or ValueError for what cannot be recorded."""

    def tool(self, name: str, arguments: dict[str, Any] | None, function: Callable[..., Any]) -> Any:
        """
        Returns `function(**arguments)`; for an async function, an awaitable. Events of the session record the call, its
        result or error, and its duration. Arguments and results over 16 KiB are cut in the event.
        """

    def step(self, name: str, function: Callable[..., Any]) -> Any:
        """
        Calls the function, and returns its result, as JSON, once the platform has stored it. A later attempt of the
        message gets that result without the call. For an async function, returns an awaitable. A function with a
        required parameter gets the step's operation key, which is the same in every attempt. Raises what the function
        does; then nothing is recorded.
        """

    def report_usage(self, usage: dict[str, Any]) -> None:
        """Adds to the turn's usage. Raises TypeError for what cannot be counted."""

    def request_input(
        self, key: str, schema: dict[str, Any], prompt: str | None = None, expires_in_seconds: int | None = None
    ) -> Any:
        """
        Returns the stored answer for `key`. Without one, the process ends here and the message waits; after the answer,
        the function runs again from its start.
        """


class _Parts(TypedDict):
    parts: Sequence[Mapping[str, str]]


class Output(_Parts, total=False):
    """An answer with files, or with its usage."""

    usage: dict[str, float]


Answer = Any
# What an entrypoint may be. A generator's yields are streamed; what it returns, if anything, is the answer.
AgentFunction = Callable[[str, Context], "Answer | Awaitable[Answer] | AsyncIterable[Any] | Iterable[Any]"]

_Agent = TypeVar("_Agent", bound=Callable[..., Any])
_Given = ParamSpec("_Given")
_Result = TypeVar("_Result")


def define_agent(agent: _Agent) -> _Agent:
    """Returns the function unchanged. It tells readers, and type checkers, that this is an entrypoint."""
    return agent


def get_context() -> Context:
    """Returns the context of the running turn. Raises RuntimeError outside of one."""
    for name in ("_dari_harness.running", "dari_agent._harness.running"):
        context = getattr(sys.modules.get(name), "context", None)
        if context is not None:
            return cast(Context, context)
    raise RuntimeError(
        "no turn is running: call this inside the agent's function, and run it with run_locally in a test"
    )


def emit(type: str, data: Any = None) -> None:
    """Records an event of the session."""
    get_context().emit(type, data)


def report_usage(usage: dict[str, Any]) -> None:
    """Adds to the turn's usage, which budgets count: report_usage({"input_tokens": 10, "output_tokens": 5})."""
    get_context().report_usage(usage)


def request_input(
    key: str, schema: dict[str, Any], prompt: str | None = None, expires_in_seconds: int | None = None
) -> Any:
    """Returns the answer to a question; see Context.request_input."""
    return get_context().request_input(key, schema, prompt, expires_in_seconds)


def step(name: str, function: Callable[..., Any]) -> Any:
    """Runs a step, or returns its recorded result; see Context.step."""
    return get_context().step(name, function)


def operation_key(step: str | None = None) -> str:
    """
    Returns a key that is the same in every attempt of the message, for a service that must not act twice. `step` tells
    several calls of one message apart.
    """
    key = get_context().operation_key
    return key if step is None else f"{key}.{step}"


def cancelled() -> threading.Event:
    """Returns the event that is set when the message is cancelled or its time limit is reached."""
    return get_context().cancelled


class Tool(Generic[_Given, _Result]):
    """A function with the description that models' APIs want. Each call is recorded as events."""

    def __init__(self, function: Callable[_Given, _Result], definition: dict[str, Any]) -> None:
        self.definition = definition
        self._function = function

    def __call__(self, *args: _Given.args, **kwargs: _Given.kwargs) -> _Result:
        shown: Any = {**kwargs, "args": list(args)} if args else kwargs
        name = self.definition["name"]
        return cast(_Result, get_context().tool(name, shown, lambda **_: self._function(*args, **kwargs)))


def tool(
    *, parameters: dict[str, Any], name: str | None = None, description: str | None = None
) -> Callable[[Callable[_Given, _Result]], Tool[_Given, _Result]]:
    """
    Makes a tool of a function. Events record each call, as with Context.tool.
    `parameters`: JSON Schema of the input. `description`: default, the function's docstring.
    """

    def make(function: Callable[_Given, _Result]) -> Tool[_Given, _Result]:
        words = description or (function.__doc__ or "").strip()
        return Tool(function, {"name": name or function.__name__, "description": words, "parameters": parameters})

    return make
