# Runs an agent of the guest with openai-agents, against a model server in this process, so that each fork has what the
# SDK and its client load at their first request. Uses only what the SDK exports, and nothing that the agent has made.

import asyncio
import json
import logging
import sys

_TIMES = 2
# Time limit of all runs, in seconds.
_WITHIN = 20
# With one of these, the agent would be told of the requests.
_WATCHERS = ("ddtrace", "opentelemetry.sdk", "sentry_sdk")


def rehearse() -> None:
    """Does nothing if the agent's code would notice it. Raises what the SDK raises."""
    if any(name in sys.modules for name in _WATCHERS):
        return
    logged = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    # Not asyncio.run, after which the main thread has no event loop.
    loop = asyncio.new_event_loop()
    try:
        loop.run_until_complete(asyncio.wait_for(_rehearse(), _WITHIN))
    finally:
        logging.disable(logged)
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()


async def _rehearse() -> None:
    from agents import Agent, OpenAIProvider, RunConfig, Runner, function_tool

    replies = iter([_answer(_CALL, _CALL_PARTS), _answer(_MESSAGE, _MESSAGE_PARTS)] * _TIMES)

    async def serve(reader, writer) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        await reader.readexactly(int(length.split(b":")[1]))
        writer.write(next(replies))
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    origin = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        # All providers share the SDK's HTTP client, which reads all certificates: most of a first request's time.
        provider = OpenAIProvider(api_key="none", base_url=origin, use_responses=True)
        config = RunConfig(tracing_disabled=True, model_provider=provider)
        tool = function_tool(_tool, name_override="rehearse")
        agent = Agent(name="rehearsal", instructions="-", model="none", tools=[tool])
        for _ in range(_TIMES):
            result = Runner.run_streamed(agent, [{"role": "user", "content": "-"}], run_config=config)
            async for _ in result.stream_events():
                pass
    finally:
        server.close()
        await server.wait_closed()


def _tool() -> str:
    return "done"


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
    body = "".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in typed)
    head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n"
    return (head + body).encode()
