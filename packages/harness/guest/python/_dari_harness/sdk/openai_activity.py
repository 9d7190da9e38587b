# Records what a run of openai-agents does, from the hooks of its run.

import json
import re
import time
from contextlib import suppress

from agents import RunHooks

from ..activity import error_of, ms_since, name_of
from .openai_mcp import server_of

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

    def __init__(self, activity) -> None:
        self._activity = activity
        self._requests = 0
        # The request that has no answer yet.
        self._open = None
        self._calls = {}
        self._started = {}

    async def on_llm_start(self, context, agent, system_prompt, input_items) -> None:
        with suppress(Exception):
            self._requests += 1
            names = {"ordinal": self._requests, **_names_of(agent), "agent": name_of(agent.name)}
            self._open = (names, time.monotonic())
            self._activity.record("model.request_started", names)

    async def on_llm_end(self, context, agent, response) -> None:
        with suppress(Exception):
            by = name_of(agent.name)
            self._end_request(usage=_usage_of(response.usage) if response.usage else None)
            items = [_plain(item) for item in response.output]
            handoffs = {getattr(one, "tool_name", None) or _handoff_name(one) for one in agent.handoffs}
            says = any(_type(item).endswith("_call") for item in items)
            for item in items:
                text = _text_of(item)
                if _type(item) == "reasoning" and text:
                    self._record("reasoning.completed", "text", text, agent=by)
                elif _type(item) == "message" and says and text:
                    self._record("assistant.message", "text", text, agent=by)
                elif _type(item).endswith("_call") and item.get("name") not in handoffs:
                    self._take_call(item, agent, by)

    async def on_tool_start(self, context, agent, tool) -> None:
        with suppress(Exception):
            self._started[self._call_id(context, tool)] = time.monotonic()

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
                call = {"name": name_of(raw.get("name")) or "tool", "agent": name_of(item.agent.name)}
                self._calls[raw.get("call_id") or raw.get("id")] = {**call, "is_done": False}

    def take_output(self, item) -> None:
        """Records the result of a call for which the SDK called no hook, such as one that a person has refused."""
        with suppress(Exception):
            raw = _plain(item.raw_item)
            call_id = raw.get("call_id") if isinstance(raw, dict) else None
            if call_id is not None:
                self._complete(call_id, None, _plain(item.output))

    def fail(self, error: BaseException) -> None:
        with suppress(Exception):
            if self._open is not None:
                self._end_request(error=error_of(error))

    def _end_request(self, **fields) -> None:
        names, started = self._open
        self._open = None
        self._activity.record("model.request_completed", {**names, **fields, "duration_ms": ms_since(started)})

    def _take_call(self, item: dict, agent, by: str | None) -> None:
        call_id = name_of(item.get("call_id") or item.get("id"))
        if call_id is None:
            return
        kind = _type(item)
        name = name_of(item.get("name")) or kind.removesuffix("_call")
        server = item.get("server_label") or (server_of(agent, name) if kind == "function_call" else None)
        self._calls[call_id] = {"name": name, "agent": by, "is_done": False}
        call = {"call_id": call_id, "name": name, "kind": "mcp" if server else _KINDS.get(kind, "function")}
        call = {**call, "server": name_of(server), "agent": by}
        self._record("tool.call_requested", "arguments", _arguments_of(item), **call)
        if kind in _HOSTED:
            result = next((item[key] for key in ("output", "results", "outputs", "status") if item.get(key)), None)
            self._complete(call_id, name, result, is_error=item.get("status") == "failed" or bool(item.get("error")))

    def _complete(self, call_id: str, name: str | None, result, is_error: bool = False) -> None:
        call = self._calls.get(call_id) or {"name": name_of(name) or "tool", "agent": None, "is_done": False}
        if call["is_done"]:
            return
        self._calls[call_id] = {**call, "is_done": True}
        started = self._started.get(call_id)
        self._record(
            "tool.call_completed",
            "result",
            result,
            call_id=name_of(call_id),
            name=call["name"],
            is_error=is_error or (isinstance(result, str) and _TOOL_ERROR.match(result) is not None),
            duration_ms=None if started is None else ms_since(started),
            agent=call["agent"],
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


def _handoff_name(agent) -> str | None:
    from agents import Handoff

    try:
        return Handoff.default_tool_name(agent)
    except Exception:
        return None


def _names_of(agent) -> dict:
    model = agent.model
    if model is None:
        try:
            from agents.models import get_default_model

            model = get_default_model()
        except ImportError:
            return {}
    name = model if isinstance(model, str) else getattr(model, "model", None)
    if not isinstance(name, str):
        return {}
    provider, slash, rest = name.partition("/")
    return {"provider": name_of(provider), "model": name_of(rest)} if slash else {"model": name_of(name)}


def _usage_of(usage) -> dict:
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
