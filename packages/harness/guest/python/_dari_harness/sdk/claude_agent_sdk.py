# Runs an options object of claude-agent-sdk: one session of that SDK per session, resumed turn by turn.

import asyncio
import dataclasses
import os
import re
from typing import NamedTuple

from ..errors import TurnError, model_error
from ..output import Output
from .attachments import base64_of, read_parts
from .claude_activity import RecordedSession
from .claude_prompt import Prompt
from .memory import Memory, fingerprint, unknown_entries

_DOCUMENT_TYPES = ("application/pdf",)
# The model of messages that the SDK itself creates.
_SYNTHETIC = "<synthetic>"


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
    before = known and known.get("totals")
    results, answers = [], {}
    context._used_by_runner = lambda: _usage_of(results, answers, before)
    tasks = known and known.get("tasks")
    heard = _Heard(output, results, answers, RecordedSession(context._activity, tasks))
    prompt = Prompt(_content_of(context, missed), context.inbox, lambda parts: _blocks_of(parts, context))
    options.hooks = prompt.hooks(sdk, options.hooks)
    running = asyncio.ensure_future(_ask(sdk, options, prompt, heard))
    loop = asyncio.get_running_loop()
    context._when_cancelled(lambda: loop.call_soon_threadsafe(running.cancel))
    try:
        await running
    except asyncio.CancelledError as error:
        heard.activity.fail(error)
        raise TurnError("agent_error", "the turn was cancelled") from None
    except Exception as error:
        heard.activity.fail(error)
        raise
    _refuse_failure(results)
    last = prompt.last or fingerprint(context.parts)
    saved = {"session": results[-1].session_id, "last": last, "totals": _totals_of(results)}
    memory.save({**saved, "tasks": heard.activity.plan.entries()})
    return {"parts": output.to_parts(_answer_of(results)), "usage": _usage_of(results, answers, before)}


class _Heard(NamedTuple):
    output: Output
    results: list
    answers: dict
    activity: RecordedSession


async def _ask(sdk, options, prompt: Prompt, heard: _Heard) -> None:
    """
    Collects all results of the turn, and by its id what each answer of a model has used so far. There is more than one
    result if subagents end after the main conversation, or if the session reports a subagent of an earlier turn first.
    """
    output, results, answers, activity = heard
    current = {}
    try:
        async for message in sdk.query(prompt=prompt.messages(), options=options):
            activity.take(message)
            if isinstance(message, sdk.types.StreamEvent):
                _take_event(message, output, answers, current, activity.ordinal_of(None))
            elif isinstance(message, sdk.AssistantMessage) and message.model != _SYNTHETIC:
                _count(answers, getattr(message, "message_id", None), getattr(message, "usage", None))
            elif isinstance(message, sdk.ResultMessage):
                results.append(message)
                prompt.answered(message)
    finally:
        prompt.end()


def _count(answers: dict, name: str | None, usage: dict | None) -> None:
    """Adds to an answer's usage. A message can repeat the numbers from when its answer began."""
    if name is None:
        return
    counts = answers.setdefault(name, {})
    for key, count in (usage or {}).items():
        if isinstance(count, int):
            counts[key] = max(count, counts.get(key, 0))


def _take_event(message, output: Output, answers: dict, current: dict, ordinal: int | None) -> None:
    event, parent = message.event, message.parent_tool_use_id
    if event.get("type") == "message_start":
        current[parent] = event["message"].get("id")
        _count(answers, current[parent], event["message"].get("usage"))
    elif event.get("type") == "message_delta":
        _count(answers, current.get(parent), event.get("usage"))
    # Text of the main conversation as it is written, without the text of subagents.
    delta = event.get("delta") or {}
    if parent is None and delta.get("type") == "text_delta":
        output.add(delta["text"], ordinal)


def _answer_of(results: list):
    """Returns the last result with an answer: one that reports a subagent may have none."""
    for result in reversed(results):
        structured = getattr(result, "structured_output", None)
        if structured is not None or result.result:
            return result.result if structured is None else structured
    return None


def _content_of(context, missed: list) -> list:
    """Messages of turns that the SDK's session does not contain come first, as text."""
    blocks = []
    if missed:
        told = [f"{e['role']}: " + "\n".join(p.get("text") or p.get("path", "") for p in e["parts"]) for e in missed]
        text = "<earlier_conversation>\n" + "\n\n".join(told) + "\n</earlier_conversation>"
        blocks.append({"type": "text", "text": text})
    return blocks + _blocks_of(context.parts, context)


def _blocks_of(parts: list, context) -> list:
    return [_to_block(part) for part in read_parts(parts, context.workspace)]


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
    The SDK finds its sessions by the working directory. If that has changed since the last turn, as it does without a
    sandbox, renames the session's folder.
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


def _refuse_failure(results: list) -> None:
    if not results:
        raise TurnError("agent_error", "the session ended without a result")
    result = results[-1]
    if result.is_error:
        raise model_error(result.result or f"the session ended with {result.subtype}")


def _totals_of(results: list) -> dict:
    """Returns the last result's totals of all models, including subagents."""
    last = results[-1]
    cost = last.total_cost_usd or 0
    models = list((getattr(last, "model_usage", None) or {}).values())
    if not models:
        return {**_sum([result.usage for result in results]), "cost": cost}

    def total(name: str) -> int:
        return sum(one.get(name) or 0 for one in models)

    cached = total("cacheReadInputTokens")
    given = total("inputTokens") + cached + total("cacheCreationInputTokens")
    return {"input": given, "output": total("outputTokens"), "cached": cached, "cost": cost}


def _sum(usages: list) -> dict:
    def total(name: str) -> int:
        return sum((usage or {}).get(name) or 0 for usage in usages)

    cached = total("cache_read_input_tokens")
    given = total("input_tokens") + cached + total("cache_creation_input_tokens")
    return {"input": given, "output": total("output_tokens"), "cached": cached}


def _usage_of(results: list, answers: dict, before: dict | None) -> dict:
    """
    Returns what this turn has used. In newer versions, a resumed session continues from its totals; older versions
    start from zero. For a turn without a result, returns what its answers say, without a cost.
    """
    used = _totals_of(results) if results else _sum(list(answers.values()))
    main = _sum([result.usage for result in results])
    if results and before is not None and used["output"] >= before["output"] + main["output"]:
        used = {name: total - before[name] for name, total in used.items()}
    counts = {
        "requests": len(answers),
        "input_tokens": used["input"],
        "output_tokens": used["output"],
        "total_tokens": used["input"] + used["output"],
        "cached_input_tokens": used["cached"],
    }
    return {**counts, "cost_usd": used["cost"]} if "cost" in used else counts
