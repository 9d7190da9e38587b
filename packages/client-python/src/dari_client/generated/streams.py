"""Every event that a stream may send. Generated from the platform's OpenAPI document; not edited by hand."""

from __future__ import annotations

from typing import Any, Literal, Union

from .._streamed_event import StreamedEvent
from .models import *  # noqa: F403

#: Narrows by `type`: after `if event.type == "agent.event":` the type of `event.data` is `AgentEventEventData`.
AnyStreamedEvent = Union[
    StreamedEvent[Literal["session.created"], SessionCreatedEventData],
    StreamedEvent[Literal["session.status_changed"], SessionStatusChangedEventData],
    StreamedEvent[Literal["session.rolled_back"], SessionRolledBackEventData],
    StreamedEvent[Literal["user.message"], UserMessageEventData],
    StreamedEvent[Literal["message.status_changed"], MessageStatusChangedEventData],
    StreamedEvent[Literal["message.steered"], MessageSteeredEventData],
    StreamedEvent[Literal["attempt.started"], AttemptStartedEventData],
    StreamedEvent[Literal["attempt.ended"], AttemptEndedEventData],
    StreamedEvent[Literal["assistant.message_completed"], AssistantMessageCompletedEventData],
    StreamedEvent[Literal["model.request_started"], ModelRequestStartedEventData],
    StreamedEvent[Literal["model.request_completed"], ModelRequestCompletedEventData],
    StreamedEvent[Literal["reasoning.completed"], ReasoningCompletedEventData],
    StreamedEvent[Literal["assistant.message"], AssistantMessageEventData],
    StreamedEvent[Literal["tool.call_requested"], ToolCallRequestedEventData],
    StreamedEvent[Literal["tool.call_completed"], ToolCallCompletedEventData],
    StreamedEvent[Literal["agent.handoff"], AgentHandoffEventData],
    StreamedEvent[Literal["subagent.started"], SubagentStartedEventData],
    StreamedEvent[Literal["subagent.completed"], SubagentCompletedEventData],
    StreamedEvent[Literal["plan.updated"], PlanUpdatedEventData],
    StreamedEvent[Literal["step.completed"], StepCompletedEventData],
    StreamedEvent[Literal["agent.events_omitted"], AgentEventsOmittedEventData],
    StreamedEvent[Literal["agent.event"], AgentEventEventData],
    StreamedEvent[Literal["input.requested"], InputRequestedEventData],
    StreamedEvent[Literal["input.submitted"], InputSubmittedEventData],
    StreamedEvent[Literal["workspace.committed"], WorkspaceCommittedEventData],
    StreamedEvent[Literal["workspace.restored_from_older"], WorkspaceRestoredFromOlderEventData],
    StreamedEvent[Literal["message.completed"], Message],
    StreamedEvent[Literal["message.failed"], Message],
    StreamedEvent[Literal["message.cancelled"], Message],
    StreamedEvent[Literal["assistant.text_delta"], AssistantTextDeltaEventData],
    StreamedEvent[Literal["reasoning.delta"], ReasoningDeltaEventData],
    StreamedEvent[Literal["tool.arguments_delta"], ToolArgumentsDeltaEventData],
    StreamedEvent[Literal["log"], LogEventData],
    StreamedEvent[UnknownType, dict[str, Any]],
]
