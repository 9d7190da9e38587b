# Feeds messages of claude-agent-sdk to what records them.

import asyncio
from types import SimpleNamespace

from _dari_harness.sdk.claude_activity import RecordedSession


class StreamEvent(SimpleNamespace):
    parent_tool_use_id = None


class AssistantMessage(SimpleNamespace):
    model = "claude"
    parent_tool_use_id = None


class UserMessage(SimpleNamespace):
    parent_tool_use_id = None


class ToolUseBlock(SimpleNamespace):
    pass


class ToolResultBlock(SimpleNamespace):
    is_error = False


def call(name, given, output):
    block = ToolUseBlock(id=name, name=name, input=given)
    result = ToolResultBlock(tool_use_id=name, content="done")
    return [AssistantMessage(content=[block]), UserMessage(content=[result], tool_use_result=output)]


def changesTasks(_prompt, context):
    first = RecordedSession(context._activity)
    for id, subject in enumerate(["Read it", "Write it"]):
        created = {"task": {"id": str(id), "subject": subject}}
        for message in call("TaskCreate", {"subject": subject}, created):
            first.take(message)
    second = RecordedSession(context._activity, first.plan.entries())
    failure = {"success": False, "taskId": "9", "updatedFields": []}
    listed = {"tasks": [{"id": "1", "subject": "Write all", "status": "completed", "blockedBy": []}]}
    for message in (
        *call("TaskUpdate", {"taskId": "1", "status": "in_progress", "subject": "Write all"}, {"success": True}),
        *call("TaskUpdate", {"taskId": "0", "status": "deleted"}, {"success": True}),
        *call("TaskUpdate", {"taskId": "9", "status": "completed"}, failure),
        *call("TaskList", {}, listed),
        *call("TodoWrite", {"todos": [{"content": "Rest", "status": "pending"}]}, None),
    ):
        second.take(message)


def writesAndFails(_prompt, context):
    session = RecordedSession(context._activity)
    started = {"type": "message_start", "message": {"id": "a", "model": "claude", "usage": {}}}
    tool = {"type": "tool_use", "id": "read", "name": "mcp__atlas__map"}
    deltas = [
        {"type": "thinking_delta", "thinking": "I think"},
        {"type": "text_delta", "text": "First."},
        {"type": "input_json_delta", "partial_json": '{"a":'},
        {"type": "input_json_delta", "partial_json": "1}"},
    ]
    events = [started]
    for index, block in enumerate([{"type": "thinking"}, {"type": "text"}, tool]):
        events.append({"type": "content_block_start", "index": index, "content_block": block})
    for delta, index in zip(deltas, (0, 1, 2, 2)):
        events.append({"type": "content_block_delta", "index": index, "delta": delta})
    for event in events:
        session.take(StreamEvent(event=event))
    session.take(call("mcp__atlas__map", {}, None)[0])
    ordinal = session.ordinal_of(None)
    session.fail(RuntimeError("the model is away"))
    return [ordinal]


class Inbox:
    def __init__(self):
        self._waiting = []

    @property
    def is_waiting(self):
        return bool(self._waiting)

    def put(self, text):
        self._waiting.append({"id": text, "parts": [{"type": "text", "text": text}]})

    def take(self):
        taken, self._waiting = self._waiting, []
        return taken


async def steersClaude(_prompt):
    from _dari_harness.sdk.claude_prompt import Prompt

    inbox, read = Inbox(), []
    inbox.put("before")
    prompt = Prompt([{"type": "text", "text": "hi"}], inbox, lambda parts: parts)
    own = {"PostToolBatch": ["own"], "Stop": ["stop"]}
    hooks = prompt.hooks(SimpleNamespace(HookMatcher=SimpleNamespace), own)
    after_tools = hooks["PostToolBatch"][1].hooks[0]

    async def read_all():
        async for message in prompt.messages():
            read.append([block["text"] for block in message["message"]["content"]])

    reading = asyncio.create_task(read_all())
    await asyncio.sleep(0)
    inbox.put("between")
    await after_tools({"agent_id": "a subagent"}, None, None)
    before = list(read)
    await after_tools({}, None, None)
    after = list(read)
    # While the session writes its last answer.
    inbox.put("later")
    prompt.answered(SimpleNamespace(is_error=False))
    prompt.answered(SimpleNamespace(is_error=False))
    await reading
    inbox.put("too late")
    prompt.answered(SimpleNamespace(is_error=False))
    kept = [hooks["Stop"], hooks["PostToolBatch"][0], inbox.is_waiting]
    return {"before": before, "after": after, "read": read, "kept": kept}
