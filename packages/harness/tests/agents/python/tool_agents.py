# Agents that call tools through the context.

import asyncio
import base64
import json


async def callsTools(_prompt, context):
    async def fail():
        raise ValueError("no luck")

    async def read(path):
        return "é" * 10_000

    cycle = {}
    cycle["self"] = cycle
    total = context.tool("add", {"a": 1, "b": 2}, lambda a, b: a + b)
    try:
        failed = await context.tool("fail", None, fail)
    except ValueError as error:
        failed = f"ValueError: {error}"
    long = await context.tool("read", {"path": "x" * 20_000}, read)
    context.tool("odd", {"when": {1, 2}}, lambda when: cycle)
    deep = []
    for _ in range(126):
        deep = [deep]
    context.tool("deep", {}, lambda: deep)
    context.tool("silent", {}, lambda: None)
    try:
        refused = context.tool("", {}, lambda: 1)
    except TypeError as error:
        refused = str(error)
    return [total, failed, len(long), refused]


def callsTooManyTools(_prompt, context):
    for i in range(5_010):
        context.tool("many", {}, lambda: i)
    return "done"


_PNG = base64.b64encode(bytes.fromhex("89504e470d0a1a0a0000000d49484452ff")).decode()


def showsBinary(_prompt, context):
    image = {"type": "image", "data": _PNG, "mimeType": "image/png"}
    source = {"type": "base64", "media_type": "image/png", "data": _PNG}
    url = f"data:image/png;base64,{_PNG}"
    given = {"text": "data:image/png;base64,?"}
    context.tool("blocks", given, lambda text: [{"type": "text", "text": "seen"}, image])
    context.tool("source", {}, lambda: [{"type": "image", "source": source}])
    context.tool("url", {}, lambda: url)
    context.tool("block with url", {}, lambda: {"type": "input_image", "image_url": url, "detail": "low"})
    context.tool("fields", {}, lambda: {"title": "Plan", "chart": url})
    sound = {**image, "type": "audio", "mimeType": "audio/wav"}
    context.tool("json", {}, lambda: json.dumps({"content": [sound]}))
    context.tool("computer", {}, lambda: _PNG)
    context.tool("text", {}, lambda: {"mimeType": "text/plain", "data": "aGk="})
    return "done"


def sendsMuch(_prompt, context):
    for _ in range(9):
        context.tool("read", {}, lambda: "x" * (8 * 1024 * 1024))
    context.tool("read", {}, lambda: "x" * (8 * 1024 * 1024 + 1))
    return "done"


async def failsAtLength(_prompt, context):
    def fail():
        raise ValueError("x" * 20_000)

    try:
        context.tool("fail", {}, fail)
    except ValueError:
        return "done"


def cutsTexts(_prompt):
    from _dari_harness.activity import error_of, name_of

    error = ValueError("x" * (7_999 - len("ValueError: ")) + "\U0001F600more")
    return {"name": name_of("x" * 199 + "\U0001F600more"), "error": error_of(error)}


def showsPieces(_prompt, context):
    show = context._activity.preview
    show("reasoning.delta", {"ordinal": 1, "text": "I think\ud800"})
    show("tool.arguments_delta", {"call_id": "a", "name": "add", "text": "{}"})
    for _ in range(200):
        show("reasoning.delta", {"ordinal": 1, "text": "x" * 100_000})
    return "done"


async def cancelsBeforeFirstStep(_prompt, context):
    hang = asyncio.create_task(context.tool("hang", {}, asyncio.Event().wait))
    future = asyncio.ensure_future(context.tool("future", {}, asyncio.get_running_loop().create_future))
    context.tool("forgotten", {}, asyncio.Event().wait).close()
    hang.cancel()
    future.cancel()
    await asyncio.wait([hang, future])
    return "done"


async def cancelsTool(_prompt, context):
    try:
        await asyncio.wait_for(context.tool("hang", {}, asyncio.Event().wait), 0.01)
    except asyncio.TimeoutError:
        return "done"
