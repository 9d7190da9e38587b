# Runs an `Agent` of openai-agents with that SDK's runner, with the session's history, streamed.

import asyncio
import dataclasses
from contextlib import suppress

from ..errors import TurnError
from ..output import Output
from .attachments import data_url, read_parts
from .memory import Memory, fingerprint, unknown_entries
from .openai_approvals import decide, resume_run, waiting_run
from .openai_mcp import connected_servers
from .openai_steering import Steering


def prepare(found: str):
    """Returns the runner: `async (agent, turn) -> {"parts", "usage"}`. Raises unsupported_export without the SDK."""
    try:
        from agents import Runner
    except ImportError as error:
        # The agent's own file agents.py hides the package.
        if error.name != "agents":
            raise
        advice = 'add "openai-agents" to requirements.txt or pyproject.toml, and name no module of yours "agents"'
        raise TurnError("unsupported_export", f"{found}, which needs the package openai-agents; {advice}") from None
    _complete_usage()
    # These import the SDK.
    from .openai_activity import RecordedRun
    from .openai_chat import watch_answers

    watch_runs()
    watch_answers()
    return lambda agent, turn: _run_connected(Runner, RecordedRun, agent, turn)


def watch_runs() -> None:
    """Records the runs that the agent's own code starts, and those of agents that are tools."""
    # Versions before 0.1 have no such runner.
    with suppress(ImportError):
        from .openai_runs import watch_runs

        watch_runs()


def _complete_usage() -> None:
    """
    Older versions of the SDK create token details without fields that the newest `openai` they allow requires, so every
    run would fail. Gives these fields a default.
    """
    from agents.usage import Usage
    from openai.types.responses import response_usage

    try:
        Usage()
    except ValueError:
        for details in (response_usage.InputTokensDetails, response_usage.OutputTokensDetails):
            for field in details.model_fields.values():
                if field.is_required() and field.annotation is int:
                    field.default = 0
            details.model_rebuild(force=True)


async def _run_connected(runner, recorded_run, agent, turn) -> dict:
    async with connected_servers(agent):
        try:
            return await _run(runner, agent, turn, recorded_run(turn.context._activity))
        except Exception as error:
            # A run that a tool starts has a limit of its own.
            if type(error).__name__ != "MaxTurnsExceeded" or f"({turn.max_turns})" not in str(error):
                raise
            advice = "raise run.max_turns in dari.yml"
            raise TurnError("agent_error", f"MaxTurnsExceeded: {error}; {advice}") from None


async def _run(runner, agent, turn, activity) -> dict:
    context = turn.context
    memory = Memory("openai-agents")
    known = memory.load() or {"items": [], "last": None}
    waiting = await resume_run(agent, known, context)
    saved = None
    if waiting is not None:
        saved = known.get("steering")
        context.inbox._drop_earlier()
    steering = Steering(context.inbox, activity, lambda entry: _to_item(entry, context), saved)
    before = {} if waiting is None else _usage_of(waiting._context)
    output, shown = Output(turn.limits, turn.channel), activity.stream()
    while True:
        if waiting is not None:
            activity.resume(waiting)
            decide(waiting, context)
        given = waiting or _input(known, context)
        options = {"hooks": activity, **steering.options()}
        if turn.max_turns is not None:
            options["max_turns"] = turn.max_turns
        result = runner.run_streamed(agent, given, context=None if waiting else context, **options)
        context._used_by_runner = lambda result=result: _usage_of(result.context_wrapper, before)
        await _read(result, output, activity, shown, context)
        if not getattr(result, "interruptions", None):
            break
        memory.save({**known, "waiting": waiting_run(result.to_state(), context), "steering": steering.save()})
        # Read the question as the attempt with the answer will, so that both are exactly the same.
        waiting = await resume_run(agent, memory.load(), context)
    # The answer contains fields that the model left at their defaults; the history does not.
    parts = output.to_parts(_plain(result.final_output, exclude_unset=False))
    items = steering.insert_into(_plain(result.to_input_list()))
    memory.save({"items": items, "last": steering.last or fingerprint(context.parts)})
    return {"parts": parts, "usage": _usage_of(result.context_wrapper, before)}


def _input(known: dict, context) -> list:
    missed = [_to_item(entry, context) for entry in unknown_entries(context.history, known["last"])]
    return [*known["items"], *missed, _to_item({"role": "user", "parts": context.parts}, context)]


async def _read(result, output, activity, shown, context) -> None:
    loop = asyncio.get_running_loop()
    context._when_cancelled(lambda: loop.call_soon_threadsafe(result.cancel))
    try:
        async for event in result.stream_events():
            if event.type != "raw_response_event":
                continue
            shown.take(event.data)
            if event.data.type == "response.output_text.delta":
                output.add(event.data.delta, shown.ordinal)
    except BaseException as error:
        activity.fail(error)
        raise
    if context.cancelled.is_set():
        stopped = TurnError("agent_error", "the turn was cancelled")
        activity.fail(stopped)
        raise stopped


def _to_item(entry: dict, context) -> dict:
    read = read_parts(entry["parts"], context.workspace)
    if entry["role"] == "assistant":
        return {"role": "assistant", "content": "".join(part["text"] for part in read if part["type"] == "text")}
    return {"role": "user", "content": [_to_content(part) for part in read]}


def _to_content(part: dict) -> dict:
    if part["type"] == "text":
        return {"type": "input_text", "text": part["text"]}
    if part["type"] == "image":
        return {"type": "input_image", "image_url": data_url(part), "detail": "auto"}
    return {"type": "input_file", "file_data": data_url(part), "filename": part["filename"]}


def _plain(value, exclude_unset: bool = True):
    """Returns models and dataclasses as JSON values."""
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json", exclude_unset=exclude_unset)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return _plain({field.name: getattr(value, field.name) for field in dataclasses.fields(value)}, exclude_unset)
    if isinstance(value, dict):
        return {key: _plain(one, exclude_unset) for key, one in value.items()}
    return [_plain(one, exclude_unset) for one in value] if isinstance(value, (list, tuple)) else value


def _usage_of(run_context, before: dict | None = None) -> dict:
    """Returns the usage of this attempt. A resumed run also counts its earlier usage."""
    usage = run_context.usage
    used = {
        "requests": usage.requests,
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "total_tokens": usage.total_tokens,
        "cached_input_tokens": getattr(usage.input_tokens_details, "cached_tokens", 0),
        "reasoning_tokens": getattr(usage.output_tokens_details, "reasoning_tokens", 0),
    }
    return {name: count - (before or {}).get(name, 0) for name, count in used.items()}
