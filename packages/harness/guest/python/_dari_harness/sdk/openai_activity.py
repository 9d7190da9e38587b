# Records what a run of openai-agents does, from its hooks.

import json
import re
import sys
import time
from contextlib import suppress

from agents import RunHooks

from ..activity import ERROR_CHARS, cut_text, error_of, ms_since, name_of, stack_of
from .openai_chat import finish_reason_after, last_answer
from .openai_mcp import note_tools, server_of
from .openai_stream import RecordedStream

# What the SDK's default function for errors of tools returns to the model.
_TOOL_ERROR = re.compile(r"An error occurred while (running the tool|parsing tool arguments)\b")
_KINDS = {
    "computer_call": "computer",
    "shell_call": "shell",
    "local_shell_call": "shell",
    "apply_patch_call": "file",
    "web_search_call": "web",
    "file_search_call": "file",
    "code_interpreter_call": "shell",
    "mcp_call": "mcp",
}
# The model's server runs these itself, and has ended them when it answers.
_HOSTED = ("web_search_call", "file_search_call", "code_interpreter_call", "image_generation_call", "mcp_call")


class RecordedRun(RunHooks):
    """Its hooks never raise: the SDK's objects differ between its versions, and an error would end the run."""

    def __init__(self, activity, agent=None, model=None, outer=None, parent=None) -> None:
        """
        `outer`: the run in whose tool this one runs, and `parent` the call of that tool, if known. `model`: what the
        run uses instead of its agents' models.
        """
        self._activity = activity
        self._model = model
        self._parent = parent or (outer and outer._parent)
        self._subagent = name_of(agent.name) or "agent" if parent else None
        self._begun = time.monotonic()
        # The request that has no answer yet: its names, its start, and the answer to the one before.
        self._open = None
        self._calls = {}
        self._started = {}
        # What tools raised, by call.
        self._errors = {}
        # For a run whose stream is read.
        self._stream = None
        if self._subagent:
            self._record_subagent("subagent.started")

    def stream(self) -> "RecordedStream":
        """Returns what shows the model's answers as they are read."""
        self._stream = RecordedStream(self._activity)
        return self._stream

    def call_of(self, context) -> str | None:
        """Returns the call whose tool starts another run with this context; None if it is not known."""
        known = getattr(context, "tool_call_id", None)
        if known in self._calls:
            return known
        running = [id for id in self._started if not self._calls.get(id, {"is_done": True})["is_done"]]
        return running[0] if len(running) == 1 else None

    async def on_agent_start(self, context, agent) -> None:
        with suppress(Exception):
            for server in agent.mcp_servers:
                note_tools(server)

    async def on_llm_start(self, context, agent, system_prompt, input_items) -> None:
        with suppress(Exception):
            self._settle(input_items)
            names = {**_names_of(self._model or agent.model), **self._origin_of(agent)}
            names = {"ordinal": self._activity.next_request(), **names}
            self._open = (names, time.monotonic(), last_answer())
            self._activity.record("model.request_started", names)
            if self._stream is not None:
                self._stream.begin(names["ordinal"], _handoffs_of(agent))

    async def on_llm_end(self, context, agent, response) -> None:
        with suppress(Exception):
            reason = None
            if self._stream is not None:
                names, _, earlier = self._open
                reason = await self._stream.end(names["ordinal"]) or finish_reason_after(earlier)
            self._end_request(usage=_usage_of(response.usage), finish_reason=name_of(reason))
            by = self._origin_of(agent)
            items = [_plain(item) for item in response.output]
            handoffs = _handoffs_of(agent)
            says = any(_type(item).endswith("_call") for item in items)
            for item in items:
                text = _text_of(item)
                if _type(item) == "reasoning" and text:
                    self._record("reasoning.completed", "text", text, **by)
                elif _type(item) == "message" and says and text:
                    self._record("assistant.message", "text", text, **by)
                elif _type(item).endswith("_call") and item.get("name") not in handoffs:
                    self._take_call(item, agent, by)

    async def on_tool_start(self, context, agent, tool) -> None:
        with suppress(Exception):
            call_id = self._call_id(context, tool)
            if call_id is not None:
                self._started[call_id] = time.monotonic()

    def fail_tool(self, call_id: str, error: BaseException) -> None:
        """A tool has raised an error, and the SDK tells the model something else."""
        text = stack_of(error)
        self._errors[call_id] = cut_text(text, ERROR_CHARS)
        # The log has the whole text: a secret that a cut divides would not be found and removed.
        print(f"tool {self._calls.get(call_id, {}).get('name', '')} failed: {text}", file=sys.stderr, flush=True)

    async def on_tool_end(self, context, agent, tool, result) -> None:
        with suppress(Exception):
            call_id = self._call_id(context, tool)
            if call_id is not None:
                self._complete(call_id, getattr(tool, "name", None), _plain(result))

    async def on_handoff(self, context, from_agent, to_agent) -> None:
        with suppress(Exception):
            handoff = {"from_agent": name_of(from_agent.name), "to_agent": name_of(to_agent.name)}
            self._activity.record("agent.handoff", handoff)

    def resume(self, state) -> None:
        """The calls that wait in a state were requested in another attempt."""
        with suppress(Exception):
            for item in state.get_interruptions():
                raw = _plain(item.raw_item)
                by = self._origin_of(item.agent)
                call = {"name": name_of(raw.get("name")) or "tool", "by": by, "is_done": False}
                self._calls[raw.get("call_id") or raw.get("id")] = call

    def end(self, result) -> None:
        """The run has ended. An interrupted run continues in another attempt."""
        with suppress(Exception):
            if not getattr(result, "interruptions", None):
                self._end_subagent(is_error=False)

    def fail(self, error: BaseException) -> None:
        """The run has failed or was cancelled, and with it what was in progress."""
        with suppress(Exception):
            if self._open is not None:
                self._end_request(error=error_of(error))
            for call_id in self._calls:
                self._complete(call_id, None, error_of(error), is_error=True)
            self._end_subagent(is_error=True)

    def _origin_of(self, agent) -> dict:
        return {"agent": name_of(agent.name), "parent_call_id": name_of(self._parent)}

    def _record_subagent(self, type: str, **fields) -> None:
        self._activity.record(type, {"name": self._subagent, "parent_call_id": name_of(self._parent), **fields})

    def _end_subagent(self, is_error: bool) -> None:
        if self._subagent:
            self._record_subagent("subagent.completed", is_error=is_error, duration_ms=ms_since(self._begun))
            self._subagent = None

    def _end_request(self, **fields) -> None:
        names, started, _ = self._open
        self._open = None
        self._activity.record("model.request_completed", {**names, **fields, "duration_ms": ms_since(started)})

    def _take_call(self, item: dict, agent, by: dict) -> None:
        call_id = name_of(item.get("call_id") or item.get("id"))
        if call_id is None:
            return
        kind = _type(item)
        name = name_of(item.get("name")) or kind.removesuffix("_call")
        server = item.get("server_label") or (server_of(agent, name) if kind == "function_call" else None)
        self._calls[call_id] = {"name": name, "by": by, "is_done": False}
        self._started.pop(call_id, None)
        call = {"call_id": call_id, "name": name, "kind": "mcp" if server else _KINDS.get(kind, "function")}
        self._record("tool.call_requested", "arguments", _arguments_of(item), **call, server=name_of(server), **by)
        if kind in _HOSTED:
            result = next((item[key] for key in ("output", "results", "outputs", "status") if item.get(key)), None)
            self._complete(call_id, name, result, is_error=item.get("status") == "failed" or bool(item.get("error")))

    def _settle(self, items) -> None:
        """Completes calls for which the SDK called no hook, such as one that a person has refused."""
        waiting = {id for id, call in self._calls.items() if not call["is_done"]}
        for item in reversed(items if waiting and isinstance(items, list) else []):
            raw = _plain(item)
            if raw.get("call_id") in waiting and _type(raw).endswith("_output"):
                self._complete(raw["call_id"], None, raw.get("output"))

    def _complete(self, call_id: str, name: str | None, result, is_error: bool = False) -> None:
        call = self._calls.get(call_id) or {"name": name_of(name) or "tool", "by": {}, "is_done": False}
        if call["is_done"]:
            return
        self._calls[call_id] = {**call, "is_done": True}
        started = self._started.get(call_id)
        error = self._errors.get(call_id)
        is_error = is_error or error is not None or (isinstance(result, str) and _TOOL_ERROR.match(result) is not None)
        self._record(
            "tool.call_completed",
            "result",
            result,
            call_id=name_of(call_id),
            name=call["name"],
            is_error=is_error,
            error=error,
            duration_ms=None if started is None else ms_since(started),
            **call["by"],
        )

    def _record(self, type: str, field: str, value, **others) -> None:
        self._activity.record(type, {**others, **self._activity.fit(field, value)})

    def _call_id(self, context, tool) -> str | None:
        """Returns the id of the call. Hooks of some built-in tools do not say it: those calls run in order."""
        known = getattr(context, "tool_call_id", None)
        if known is not None:
            return known
        names = (getattr(tool, "name", None), _stem(tool))
        return next((id for id, call in self._calls.items() if not call["is_done"] and call["name"] in names), None)


def _stem(tool) -> str:
    """ComputerTool: computer. LocalShellTool: local_shell."""
    words = re.findall("[A-Z][a-z]+", type(tool).__name__.removesuffix("Tool"))
    return "_".join(words).lower()


def _handoffs_of(agent) -> set:
    """Returns the names of the tools that hand over to another agent."""
    return {getattr(one, "tool_name", None) or _handoff_name(one) for one in agent.handoffs}


def _handoff_name(agent) -> str | None:
    from agents import Handoff

    try:
        return Handoff.default_tool_name(agent)
    except Exception:
        return None


def _names_of(model) -> dict:
    """A name without a provider is one of OpenAI's, as for the SDK. So are the SDK's own models."""
    if model is None:
        try:
            from agents.models import get_default_model

            model = get_default_model()
        except ImportError:
            return {"provider": "openai"}
    is_openai = isinstance(model, str) or type(model).__module__.startswith("agents.models.openai")
    own = {"provider": "openai"} if is_openai else {}
    name = model if isinstance(model, str) else getattr(model, "model", None)
    if not isinstance(name, str):
        return own
    provider, slash, rest = name.partition("/")
    return {"provider": name_of(provider), "model": name_of(rest)} if slash else {**own, "model": name_of(name)}


def _usage_of(usage) -> dict | None:
    # Chat Completions says it only if the agent asks for it.
    if not usage or not usage.total_tokens:
        return None
    return {
        "input_tokens": usage.input_tokens,
        "cached_input_tokens": getattr(usage.input_tokens_details, "cached_tokens", None) or 0,
        "output_tokens": usage.output_tokens,
        "reasoning_tokens": getattr(usage.output_tokens_details, "reasoning_tokens", None) or 0,
    }


def _type(item) -> str:
    return str(item.get("type") or "message") if isinstance(item, dict) else ""


def _text_of(item) -> str:
    """Returns the text of a message, or what a model shows of its reasoning."""
    if not isinstance(item, dict):
        return ""
    for field in ("summary", "content"):
        parts = item.get(field) or []
        if isinstance(parts, str):
            return parts
        texts = [part.get("text") or part.get("refusal") for part in parts]
        text = "\n\n".join(one for one in texts if one)
        if text:
            return text
    return ""


def _arguments_of(item: dict):
    for field in ("arguments", "action", "actions", "operation", "queries", "code"):
        if item.get(field) is not None:
            break
    else:
        return {}
    given = item[field]
    if not isinstance(given, str):
        return given
    try:
        return json.loads(given)
    except ValueError:
        return given


def _plain(value):
    """Returns models as JSON values."""
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json", exclude_unset=True)
    return [_plain(one) for one in value] if isinstance(value, (list, tuple)) else value
