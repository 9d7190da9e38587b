"""Not run: mypy checks that payloads narrow by the type of their event, in streams and in lists."""

from typing import Any, Literal

from typing_extensions import assert_type

from dari_client import AnyStreamedEvent, AsyncClient, Client, each_row, models


def of_a_stream(event: AnyStreamedEvent) -> None:
    if event.type == "assistant.text_delta":
        assert_type(event.data["text"], str)
    elif event.type == "reasoning.delta":
        assert_type(event.data["ordinal"], int)
    elif event.type == "message.failed":
        assert_type(event.data, models.Message)
    elif event.type == "agent.event":
        assert_type(event.data, models.AgentEventEventData)
    elif event.type == "tool.call_requested":
        assert_type(event.data["name"], str)
        assert_type(event.data.get("server"), str | None)
    elif event.type == "log":
        assert_type(event.data["text"], str)
    assert_type(event.message_id, str | None)


def of_a_turn(event: AnyStreamedEvent) -> str:
    match event.type:
        case "tool.call_completed":
            return f"{event.data['name']} failed: {event.data['is_error']}"
        case "model.request_completed":
            return f"{event.data['duration_ms']} ms, {sum(event.data.get('usage', {}).values())} tokens"
        case "reasoning.completed" | "assistant.message":
            return event.data["text"]
        case "subagent.started":
            return event.data["name"]
        case "plan.updated":
            return ", ".join(item["text"] for item in event.data["items"])
        case _:
            return ""


def of_a_list(event: models.Event) -> None:
    if event["type"] == "attempt.started":
        assert_type(event["data"]["number"], int)
        assert_type(event["attempt_id"], str)
    elif event["type"] == "input.requested":
        assert_type(event["data"]["prompt"], str | None)
    assert_type(event.get("message_id"), str | None)


def of_a_type_that_is_not_known(event: models.UnknownEvent) -> None:
    assert_type(event["type"], Literal[""])
    assert_type(event["data"], dict[str, Any])


def of_a_webhook(payload: models.WebhookPayload) -> None:
    if payload["type"] == "message.completed":
        assert_type(payload["data"]["session_id"], str)


def calls(client: Client) -> None:
    for streamed in client.stream_message("msg_1"):
        of_a_stream(streamed)
    for sent in client.stream("sess_1", "Hello", files=[("a.txt", b"")], metadata={}):
        of_a_stream(sent)
    for listed in each_row(client.list_events, "sess_1"):
        of_a_list(listed)


async def awaited_calls(client: AsyncClient) -> None:
    async for sent in client.stream("sess_1", "Hello", on_busy="enqueue"):
        of_a_stream(sent)
