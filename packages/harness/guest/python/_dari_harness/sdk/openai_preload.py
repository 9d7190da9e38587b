# Loads what openai-agents and its client load at their first run, so that each fork has it. Runs and requests nothing.

import sys
from contextlib import suppress
from importlib import import_module
from types import FunctionType

# The client imports them at its first request: in newer versions those of httpx2.
_MODULES = (
    "openai.resources.responses",
    "anyio._backends._asyncio",
    "httpcore._async.http11",
    "httpcore._backends.anyio",
    "httpcore2._async.http11",
    "httpcore2._backends.anyio",
    "truststore",
)
# Not valid, because some model servers leave fields out: then the client builds more than for a valid one.
_MESSAGE = {"type": "message", "content": [{"type": "output_text"}]}
_EVENT = {"type": "response.completed", "response": {"output": [_MESSAGE]}}


def preload_openai() -> None:
    """Called once the agent is loaded. Does nothing without openai-agents, or with another client for its models."""
    if "agents.models.openai_responses" not in sys.modules or "litellm" in sys.modules:
        return
    for name in _MODULES:
        with suppress(Exception):
            import_module(name)
    # Only time is lost, for example with a package of the agent that has the same name.
    with suppress(Exception):
        _build_types()


def _build_types() -> None:
    """Parses an event of a model's answer: at the first one, pydantic builds the validators of all types of events."""
    from openai import _models
    from openai.types.responses import ResponseStreamEvent

    parse = _models.construct_type
    # The agent's code may have replaced it, and must not be called before a turn.
    if type(parse) is FunctionType and parse.__code__.co_filename == _models.__file__:
        parse(type_=ResponseStreamEvent, value=_EVENT)
