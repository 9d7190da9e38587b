# Runs an options object of claude-agent-sdk: one session of that SDK per session, resumed turn by turn.

import asyncio
import dataclasses
import os
import re

from ..errors import TurnError
from ..output import Output
from .attachments import base64_of, read_parts
from .memory import Memory, fingerprint, unknown_entries

_DOCUMENT_TYPES = ("application/pdf",)


def prepare(found: str):
    try:
        import claude_agent_sdk
    except ModuleNotFoundError as error:
        if error.name != "claude_agent_sdk":
            raise
        advice = 'add "claude-agent-sdk" to requirements.txt or pyproject.toml'
        raise TurnError("unsupported_export", f"{found}, which needs the package claude-agent-sdk; {advice}") from None
    return lambda options, turn: turn.run_async(_run(claude_agent_sdk, options, turn))


async def _run(sdk, given, turn) -> dict:
    context = turn.context
    memory = Memory("claude-agent-sdk")
    known = memory.load()
    missed = unknown_entries(context.history, known and known["last"])
    options = sdk.ClaudeAgentOptions(**given) if isinstance(given, dict) else dataclasses.replace(given)
    options.include_partial_messages = True
    options.cwd = options.cwd or context.workspace
    if known is not None:
        _follow_workspace(known["session"])
        options.resume = known["session"]
    output = Output(turn.limits, turn.channel)
    running = asyncio.ensure_future(_ask(sdk, options, _content_of(context, missed), output))
    loop = asyncio.get_running_loop()
    context._when_cancelled(lambda: loop.call_soon_threadsafe(running.cancel))
    try:
        result = await running
    except asyncio.CancelledError:
        raise TurnError("agent_error", "the turn was cancelled") from None
    _refuse_failure(result)
    totals = _totals_of(result)
    memory.save({"session": result.session_id, "last": fingerprint(context.parts), "totals": totals})
    structured = getattr(result, "structured_output", None)
    parts = output.to_parts(result.result if structured is None else structured)
    return {"parts": parts, "usage": _usage_of(result, totals, known and known.get("totals"))}


async def _ask(sdk, options, content: list, output: Output):
    result = None
    async with sdk.ClaudeSDKClient(options=options) as client:
        await client.query(_as_messages(content))
        async for message in client.receive_response():
            # Text of the main conversation, as it is written; what a subagent says is its tool's business.
            if isinstance(message, sdk.types.StreamEvent) and message.parent_tool_use_id is None:
                delta = message.event.get("delta") or {}
                if delta.get("type") == "text_delta":
                    output.add(delta["text"])
            if isinstance(message, sdk.ResultMessage):
                result = message
    return result


async def _as_messages(content: list):
    yield {"type": "user", "message": {"role": "user", "content": content}, "parent_tool_use_id": None}


def _content_of(context, missed: list) -> list:
    """What was said in turns that the SDK's session does not hold comes first, as text."""
    blocks = []
    if missed:
        told = [f"{e['role']}: " + "\n".join(p.get("text") or p.get("path", "") for p in e["parts"]) for e in missed]
        text = "<earlier_conversation>\n" + "\n\n".join(told) + "\n</earlier_conversation>"
        blocks.append({"type": "text", "text": text})
    return blocks + [_to_block(part) for part in read_parts(context.parts, context.workspace)]


def _to_block(part: dict) -> dict:
    if part["type"] == "text":
        return {"type": "text", "text": part["text"]}
    source = {"type": "base64", "media_type": part["media_type"]}
    if part["type"] == "image":
        return {"type": "image", "source": {**source, "data": base64_of(part)}}
    if part["media_type"] in _DOCUMENT_TYPES:
        return {"type": "document", "title": part["filename"], "source": {**source, "data": base64_of(part)}}
    text = {"type": "text", "media_type": "text/plain", "data": part["bytes"].decode("utf-8", "replace")}
    return {"type": "document", "title": part["filename"], "source": text}


def _follow_workspace(session: str) -> None:
    """
    The SDK finds its sessions by the working directory. Where that is another one than in the turn before, as it is
    without a sandbox, the session's folder takes the new name.
    """
    home = os.environ.get("HOME") or os.path.expanduser("~")
    projects = os.path.join(os.environ.get("CLAUDE_CONFIG_DIR") or os.path.join(home, ".claude"), "projects")
    wanted = os.path.join(projects, re.sub(r"[^a-zA-Z0-9]", "-", os.getcwd()))
    if os.path.exists(wanted) or not os.path.isdir(projects):
        return
    for name in os.listdir(projects):
        if os.path.exists(os.path.join(projects, name, f"{session}.jsonl")):
            os.rename(os.path.join(projects, name), wanted)
            return


def _refuse_failure(result) -> None:
    if result is None:
        raise TurnError("agent_error", "the session ended without a result")
    if result.is_error:
        raise TurnError("agent_error", result.result or f"the session ended with {result.subtype}")


def _totals_of(result) -> dict:
    """What the result says that all models have used, subagents' included."""
    cost = result.total_cost_usd or 0
    models = list((getattr(result, "model_usage", None) or {}).values())
    if not models:
        return {**_of_main_loop(result), "cost": cost}

    def total(name: str) -> int:
        return sum(one.get(name) or 0 for one in models)

    cached = total("cacheReadInputTokens")
    given = total("inputTokens") + cached + total("cacheCreationInputTokens")
    return {"input": given, "output": total("outputTokens"), "cached": cached, "cost": cost}


def _of_main_loop(result) -> dict:
    usage = result.usage or {}
    cached = usage.get("cache_read_input_tokens") or 0
    given = (usage.get("input_tokens") or 0) + cached + (usage.get("cache_creation_input_tokens") or 0)
    return {"input": given, "output": usage.get("output_tokens") or 0, "cached": cached}


def _usage_of(result, totals: dict, before: dict | None) -> dict:
    """Of this turn. In newer versions a session that is resumed goes on from its totals; older ones begin anew."""
    goes_on = before is not None and totals["output"] >= before["output"] + _of_main_loop(result)["output"]
    used = {name: total - (before[name] if goes_on else 0) for name, total in totals.items()}
    return {
        "requests": result.num_turns,
        "input_tokens": used["input"],
        "output_tokens": used["output"],
        "total_tokens": used["input"] + used["output"],
        "cached_input_tokens": used["cached"],
        "cost_usd": used["cost"],
    }
