# Shows what a model of openai-agents writes, from the stream of its run.

import asyncio
from contextlib import suppress

_ENDS = ("response.completed", "response.incomplete", "response.failed")
_REASONING = ("response.reasoning_summary_text.delta", "response.reasoning_text.delta")
_ARGUMENTS = (
    "response.function_call_arguments.delta",
    "response.custom_tool_call_input.delta",
    "response.mcp_call_arguments.delta",
)
# The SDK reads an answer to its end before the reader of its stream gets a turn. Until it has had this many.
_READER_TURNS = 20


class RecordedStream:
    def __init__(self, activity) -> None:
        self._activity = activity
        # Numbers of the requests whose answers were not read yet.
        self._unread = []
        # The number of the request whose answer is read, and the calls of that answer by their place.
        self.ordinal = None
        self._calls = {}
        self._handoffs = set()
        # By request, why its answer ended.
        self._reasons = {}

    def begin(self, ordinal: int, handoffs: set) -> None:
        """A request to a model begins. `handoffs`: tools whose calls are not shown."""
        self._unread.append(ordinal)
        self._handoffs = handoffs

    async def end(self, ordinal: int) -> str | None:
        """
        Returns why the answer to a request ended, once it was read. So everything that is shown of an answer comes
        before what is recorded of it.
        """
        for _ in range(_READER_TURNS):
            if ordinal in self._reasons:
                break
            await asyncio.sleep(0)
        return self._reasons.pop(ordinal, None)

    def take(self, data) -> None:
        """Takes an event of a model's answer. Never raises."""
        with suppress(Exception):
            if self.ordinal is None and self._unread:
                self.ordinal = self._unread.pop(0)
                self._calls = {}
            if data.type in _ENDS:
                self._reasons[self.ordinal] = _reason_of(data.response)
                self.ordinal = None
            elif data.type in _REASONING:
                self._activity.preview("reasoning.delta", {"ordinal": self.ordinal, "text": data.delta})
            elif data.type == "response.reasoning_summary_part.added" and data.summary_index > 0:
                self._activity.preview("reasoning.delta", {"ordinal": self.ordinal, "text": "\n\n"})
            elif data.type == "response.output_item.added" and data.item.type.endswith("_call"):
                self._calls[data.output_index] = data.item
            elif data.type in _ARGUMENTS:
                self._show_arguments(self._calls[data.output_index], data.delta)

    def _show_arguments(self, item, text: str) -> None:
        if item.name not in self._handoffs:
            call = {"call_id": getattr(item, "call_id", None) or item.id, "name": item.name}
            self._activity.preview("tool.arguments_delta", {**call, "text": text})


def _reason_of(response) -> str | None:
    """The Responses API says it in the status. For Chat Completions, see openai_chat.py."""
    details = getattr(response, "incomplete_details", None)
    return getattr(details, "reason", None) or getattr(response, "status", None)
