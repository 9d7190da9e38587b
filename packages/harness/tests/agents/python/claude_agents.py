# Feeds messages of claude-agent-sdk to what records them.

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
