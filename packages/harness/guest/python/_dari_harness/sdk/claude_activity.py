# Records what a session of claude-agent-sdk does, from its messages. Messages of a subagent name the tool call that
# runs it as their parent.

import re
import time
from contextlib import suppress

from ..activity import error_of, ms_since, name_of
from .claude_plan import Plan

_KINDS = {
    "Bash": "shell",
    "BashOutput": "shell",
    "KillBash": "shell",
    "KillShell": "shell",
    "bash_code_execution": "shell",
    "code_execution": "shell",
    "Edit": "file",
    "Glob": "file",
    "Grep": "file",
    "LS": "file",
    "MultiEdit": "file",
    "NotebookEdit": "file",
    "Read": "file",
    "Write": "file",
    "WebFetch": "web",
    "WebSearch": "web",
    "web_fetch": "web",
    "web_search": "web",
}
_OF_SERVER = re.compile(r"mcp__(.+?)__(.+)", re.DOTALL)
# The tool that runs a subagent, by its newer and its older name.
_DELEGATES = ("Agent", "Task")
# The model of messages that the SDK itself creates.
_SYNTHETIC = "<synthetic>"


class RecordedSession:
    """Pass each message of the session to `take`, which never raises."""

    def __init__(self, activity, tasks: list | None = None) -> None:
        """`tasks`: what `plan.entries` returned in the session's last turn."""
        self._activity = activity
        self.plan = Plan(tasks)
        self._calls = {}
        self._open = {}
        # By parent: when its next request can begin, and text of which is not known whether a call follows.
        self._ready = {}
        self._said = {}
        self._counted = set()
        self._begun = time.monotonic()

    def take(self, message) -> None:
        with suppress(Exception):
            parent = getattr(message, "parent_tool_use_id", None)
            kind = type(message).__name__
            if kind == "StreamEvent":
                self._take_event(message.event, parent)
            elif kind == "AssistantMessage":
                self._take_answer(message, parent)
            elif kind == "UserMessage" and isinstance(message.content, list):
                for block in message.content:
                    if type(block).__name__ == "ToolResultBlock":
                        self._take_result(block, parent, getattr(message, "tool_use_result", None))
            elif getattr(message, "subtype", None) == "task_notification":
                self._end_subagent(message.data.get("tool_use_id"), message.data.get("status") != "completed")

    def ordinal_of(self, parent: str | None) -> int | None:
        """Returns the number of the request that is being answered."""
        request = self._open.get(parent)
        return request and request["names"]["ordinal"]

    def fail(self, error: BaseException) -> None:
        """The session has failed or was cancelled, and with it what was in progress."""
        with suppress(Exception):
            for parent in list(self._open):
                self._end(parent, error=error_of(error))
            for id, call in self._calls.items():
                if not call["is_done"]:
                    self._complete(id, call["parent"], error_of(error), is_error=True)
                self._end_subagent(id, is_error=True)

    def _origin_of(self, parent: str | None) -> dict:
        return {"agent": self._calls.get(parent, {}).get("subagent"), "parent_call_id": name_of(parent)}

    def _start(self, parent: str | None, id: str | None, model, usage: dict | None) -> None:
        self._say_beforehand(parent)
        self._counted.add(id)
        names = {"ordinal": self._activity.next_request(), "model": name_of(model), **self._origin_of(parent)}
        since = self._ready.get(parent, self._begun)
        begun = {"names": names, "usage": dict(usage or {}), "since": since, "reason": None, "calls": {}}
        self._open[parent] = begun
        self._activity.record("model.request_started", names)

    def _end(self, parent: str | None, error: str | None = None) -> None:
        request = self._open.pop(parent)
        used = {"usage": _usage_of(request["usage"]), "finish_reason": name_of(request["reason"]), "error": error}
        names = {**request["names"], **used, "duration_ms": ms_since(request["since"])}
        self._activity.record("model.request_completed", names)

    def _say_beforehand(self, parent: str | None) -> None:
        """Text that something follows is not the answer."""
        text = self._said.pop(parent, "")
        if text:
            self._record("assistant.message", "text", text, **self._origin_of(parent))

    def _take_event(self, event: dict, parent: str | None) -> None:
        if event.get("type") == "message_start":
            message = event["message"]
            self._start(parent, message.get("id"), message.get("model"), message.get("usage"))
        elif parent in self._open and event.get("type") == "message_delta":
            counts = {name: count for name, count in (event.get("usage") or {}).items() if count}
            self._open[parent]["usage"].update(counts)
            self._open[parent]["reason"] = (event.get("delta") or {}).get("stop_reason")
        elif parent in self._open and event.get("type") == "message_stop":
            self._end(parent)
        elif parent in self._open and event.get("type") == "content_block_start":
            self._open[parent]["calls"][event["index"]] = event["content_block"]
        elif parent in self._open and event.get("type") == "content_block_delta":
            self._preview(event["index"], event["delta"], self._open[parent])

    def _preview(self, index: int, delta: dict, request: dict) -> None:
        if delta.get("type") == "thinking_delta":
            ordinal = request["names"]["ordinal"]
            self._activity.preview("reasoning.delta", {"ordinal": ordinal, "text": delta["thinking"]})
        elif delta.get("type") == "input_json_delta":
            block = request["calls"][index]
            call = {"call_id": block["id"], "name": _tool_of(block["name"])[1]}
            self._activity.preview("tool.arguments_delta", {**call, "text": delta["partial_json"]})

    def _take_answer(self, message, parent: str | None) -> None:
        if message.model == _SYNTHETIC:
            return
        id = getattr(message, "message_id", None)
        # Some versions do not stream a subagent's requests.
        if id is not None and id not in self._counted:
            self._start(parent, id, message.model, getattr(message, "usage", None))
            self._open[parent]["reason"] = getattr(message, "stop_reason", None)
            self._end(parent)
        for block in message.content:
            kind = type(block).__name__
            if kind == "TextBlock":
                self._said[parent] = self._said.get(parent, "") + block.text
            elif kind == "ThinkingBlock" and block.thinking:
                self._record("reasoning.completed", "text", block.thinking, **self._origin_of(parent))
            elif kind.endswith("ToolUseBlock"):
                self._take_call(block, parent)
            elif kind.endswith("ToolResultBlock"):
                self._take_result(block, parent, None)

    def _take_call(self, block, parent: str | None) -> None:
        self._say_beforehand(parent)
        given = block.input or {}
        server, name = _tool_of(block.name)
        subagent = None
        if block.name in _DELEGATES:
            subagent = name_of(given.get("subagent_type")) or "general-purpose"
        call = {"name": name_of(name), "since": time.monotonic(), "subagent": subagent, "is_running": bool(subagent)}
        planned = given if self.plan.changes(block.name) else None
        self._calls[block.id] = {**call, "planned": planned, "parent": parent, "is_done": False}
        kind = "mcp" if server else _KINDS.get(name, "function")
        shown = {"call_id": name_of(block.id), "name": name_of(name), "kind": kind, "server": name_of(server)}
        self._record("tool.call_requested", "arguments", given, **shown, **self._origin_of(parent))
        if subagent is not None:
            self._activity.record("subagent.started", {"name": subagent, "parent_call_id": name_of(block.id)})

    def _take_result(self, block, parent: str | None, output) -> None:
        call = self._calls.get(block.tool_use_id)
        if call is None:
            return
        self._ready[parent] = time.monotonic()
        is_error = getattr(block, "is_error", None) is True
        self._complete(block.tool_use_id, parent, _result_of(block.content), is_error)
        if call["planned"] is not None and not is_error:
            with suppress(Exception):
                items = self.plan.apply(call["name"], call["planned"], output)
                if items is not None:
                    self._activity.record("plan.updated", {"items": items, **self._origin_of(parent)})
        # The result of a subagent in the background says only that it has started.
        if not isinstance(output, dict) or output.get("status") != "async_launched":
            self._end_subagent(block.tool_use_id, is_error)

    def _complete(self, id: str, parent: str | None, result, is_error: bool) -> None:
        call = self._calls[id]
        call["is_done"] = True
        shown = {"call_id": name_of(id), "name": call["name"], "is_error": is_error}
        shown = {**shown, "duration_ms": ms_since(call["since"]), **self._origin_of(parent)}
        self._record("tool.call_completed", "result", result, **shown)

    def _end_subagent(self, id: str | None, is_error: bool) -> None:
        call = self._calls.get(id)
        if call is None or not call["is_running"]:
            return
        call["is_running"] = False
        ended = {"name": call["subagent"], "parent_call_id": name_of(id), "is_error": is_error}
        self._activity.record("subagent.completed", {**ended, "duration_ms": ms_since(call["since"])})

    def _record(self, type: str, field: str, value, **others) -> None:
        self._activity.record(type, {**others, **self._activity.fit(field, value)})


def _usage_of(usage: dict) -> dict:
    cached = usage.get("cache_read_input_tokens") or 0
    return {
        "input_tokens": (usage.get("input_tokens") or 0) + cached + (usage.get("cache_creation_input_tokens") or 0),
        "cached_input_tokens": cached,
        "output_tokens": usage.get("output_tokens") or 0,
    }


def _tool_of(name: str) -> tuple:
    """Returns the MCP server of a tool, or None, and the tool's name without it."""
    found = _OF_SERVER.fullmatch(name)
    return found.groups() if found else (None, name)


def _result_of(content):
    """Returns texts as one text."""
    if isinstance(content, list) and all(block.get("type") == "text" for block in content):
        return "\n".join(block["text"] for block in content)
    return content
