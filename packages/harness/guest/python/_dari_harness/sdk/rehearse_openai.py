# Runs an agent of the guest with openai-agents, so that each fork has what the SDK and its client load at their first
# run. The model answers from memory, so no request is made. Nothing that the agent has made, set or replaced is called:
# where that is not certain, there is no rehearsal.

import asyncio
import contextvars
import gc
import json
import logging
import os
import sys
import time
from contextlib import contextmanager, suppress
from importlib import import_module

from ..unchanged import is_unchanged, is_watched

_TIMES = 2
# Time limit of the runs, and of the rest that they leave, in seconds.
_WITHIN, _REST_WITHIN = 4.5, 0.5
# A trailing dot: thousands of classes without methods of their own.
_PACKAGES = ("agents", "openai", "openai.types.", "httpx", "httpx2", "asyncio")
_OTHERS = ("pydantic", "pydantic_core", "typing_extensions", "anyio", "httpcore", "httpcore2")
# An agent's own package can have the same name. These modules are not imported for the rehearsal.
_NEEDED = ("agents.models._openai_shared", "agents.run", "agents.tracing.provider", "agents.tracing.setup", "openai")
# No request goes there.
_BASE_URL = "http://rehearsal.invalid/v1"


def rehearse(source: str) -> str | None:
    """Returns None after a rehearsal, or the reason, as in src/rehearsal.ts. `source`: the agent's directory."""
    if any(name not in sys.modules for name in _NEEDED):
        return "version"
    if is_watched() or not is_unchanged(_PACKAGES, _OTHERS, source):
        return "changed"
    try:
        obstacle = _find_obstacle()
        if obstacle is not None:
            return obstacle
        with _quiet(), _own_trace_provider():
            return _run()
    except (ImportError, AttributeError):
        return "version"


def _run() -> str | None:
    # Handled here, because what an error refers to is not collected before.
    try:
        _run_within(_TIMES)
    except TimeoutError:
        return "late"
    except Exception:
        return "failed"
    return None


def _find_obstacle() -> str | None:
    from agents.models import _openai_shared as shared
    from agents.run import AgentRunner, get_default_agent_runner

    if shared.get_default_openai_client() is not None or shared.get_default_openai_key() is not None:
        return "client"
    if not shared.get_use_responses_by_default():
        return "api"
    # The guest's own records the runs of another one.
    runner = getattr(get_default_agent_runner(), "_runner", get_default_agent_runner())
    if type(runner) is not AgentRunner or vars(runner):
        return "runner"
    return "tracing" if _is_traced() else None


def _is_traced() -> bool:
    """Whether the agent has its own provider or processors of traces."""
    provider = sys.modules["agents.tracing.setup"].GLOBAL_TRACE_PROVIDER
    if provider is None:
        return False
    if type(provider).__module__ != "agents.tracing.provider":
        return True
    processors = provider._multi_processor._processors
    return any(type(one).__module__ != "agents.tracing.processors" for one in processors)


@contextmanager
def _own_trace_provider():
    """The SDK creates its provider at the first run, from variables that the agent may still set."""
    from agents.tracing.provider import DefaultTraceProvider

    setup = sys.modules["agents.tracing.setup"]
    before = setup.GLOBAL_TRACE_PROVIDER
    setup.GLOBAL_TRACE_PROVIDER = DefaultTraceProvider()
    try:
        yield
    finally:
        setup.GLOBAL_TRACE_PROVIDER = before


@contextmanager
def _quiet():
    disabled = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        # Tasks that have not ended are logged when they are collected.
        gc.collect()
        logging.disable(disabled)


def _run_within(times: int) -> None:
    threads = _count_threads()
    # Neither asyncio.run, after which the main thread has no event loop, nor the agent's policy for event loops.
    loop = asyncio.SelectorEventLoop()
    run = contextvars.Context().run
    try:
        run(loop.run_until_complete, _limited(_rehearse(times)))
    finally:
        rest = asyncio.all_tasks(loop)
        for task in rest:
            task.cancel()
        if rest:
            run(loop.run_until_complete, asyncio.wait(rest, timeout=_REST_WITHIN))
        run(loop.run_until_complete, loop.shutdown_asyncgens())
        run(loop.run_until_complete, loop.shutdown_default_executor())
        loop.close()
        # A joined thread may still be ending, and the agent would not be forked.
        end = time.monotonic() + _REST_WITHIN
        while _count_threads() > threads and time.monotonic() < end:
            time.sleep(0.001)


def _count_threads() -> int:
    return len(os.listdir("/proc/self/task"))


async def _limited(runs) -> None:
    """Unlike asyncio.wait_for, does not wait for what is cancelled."""
    task = asyncio.ensure_future(runs)
    done, _ = await asyncio.wait({task}, timeout=_WITHIN)
    if not done:
        raise TimeoutError
    task.result()


async def _rehearse(times: int) -> None:
    import openai
    from agents import Agent, OpenAIProvider, RunConfig, function_tool
    from agents.run import AgentRunner

    base = next(one for one in openai.DefaultAsyncHttpxClient.__mro__ if one.__name__ == "AsyncClient")
    http = sys.modules[base.__module__.partition(".")[0]]
    await _load_connections(openai, http)
    replies = iter([_answer(_CALL, _CALL_PARTS), _answer(_MESSAGE, _MESSAGE_PARTS)] * times)
    client = _make_client(openai, http, replies)
    provider = OpenAIProvider(openai_client=client, use_responses=True)
    config = RunConfig(tracing_disabled=True, model_provider=provider)
    tool = function_tool(_tool, name_override="rehearse")
    agent = Agent(name="rehearsal", instructions="-", model="none", tools=[tool])
    for _ in range(times):
        result = AgentRunner().run_streamed(agent, [{"role": "user", "content": "-"}], run_config=config)
        async for _ in result.stream_events():
            pass
    await client.close()


# The SDK would call another function in a thread.
async def _tool() -> str:
    return "done"


async def _load_connections(openai, http) -> None:
    """Imports what a first connection does. The client is not used, and the SDK creates another one."""
    await openai.DefaultAsyncHttpxClient().aclose()
    core = http.__name__.replace("httpx", "httpcore")
    for name in (f"{core}._async.http11", f"{core}._backends.anyio", "anyio._backends._asyncio"):
        with suppress(ImportError):
            import_module(name)


def _make_client(openai, http, replies):
    """Returns a client of the SDK whose transport is in memory."""

    async def reply(_request):
        return http.Response(200, headers={"content-type": "text/event-stream"}, content=next(replies))

    client = openai.DefaultAsyncHttpxClient(transport=http.MockTransport(reply))
    return openai.AsyncOpenAI(api_key="none", base_url=_BASE_URL, http_client=client, max_retries=0)


_TEXT = {"type": "output_text", "text": "-", "annotations": [], "logprobs": []}
_MESSAGE = {"id": "msg", "type": "message", "role": "assistant", "status": "completed", "content": [_TEXT]}
_CALL = {
    "id": "fc",
    "type": "function_call",
    "status": "completed",
    "call_id": "call",
    "name": "rehearse",
    "arguments": "{}",
}
_MESSAGE_PARTS = (
    ("content_part.added", {"item_id": "msg", "content_index": 0, "part": {**_TEXT, "text": ""}}),
    ("output_text.delta", {"item_id": "msg", "content_index": 0, "delta": "-", "logprobs": []}),
    ("output_text.done", {"item_id": "msg", "content_index": 0, "text": "-", "logprobs": []}),
    ("content_part.done", {"item_id": "msg", "content_index": 0, "part": _TEXT}),
)
_CALL_PARTS = (
    ("function_call_arguments.delta", {"item_id": "fc", "delta": "{}"}),
    ("function_call_arguments.done", {"item_id": "fc", "name": "rehearse", "arguments": "{}"}),
)
_USAGE = {
    "input_tokens": 1,
    "input_tokens_details": {"cached_tokens": 0},
    "output_tokens": 1,
    "output_tokens_details": {"reasoning_tokens": 0},
    "total_tokens": 2,
}
_RESPONSE = {
    "id": "resp",
    "object": "response",
    "created_at": 1,
    "model": "none",
    "parallel_tool_calls": True,
    "tool_choice": "auto",
    "tools": [],
}


def _answer(item: dict, parts: tuple) -> bytes:
    """Returns a reply of the Responses API: one item, and the events of its parts."""
    events = [
        ("created", {"response": {**_RESPONSE, "status": "in_progress", "output": [], "usage": None}}),
        ("output_item.added", {"output_index": 0, "item": item}),
        *((kind, {"output_index": 0, **part}) for kind, part in parts),
        ("output_item.done", {"output_index": 0, "item": item}),
        ("completed", {"response": {**_RESPONSE, "status": "completed", "output": [item], "usage": _USAGE}}),
    ]
    typed = [{"type": f"response.{kind}", "sequence_number": i, **data} for i, (kind, data) in enumerate(events)]
    return "".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in typed).encode()
