# What a session of claude-agent-sdk reads: the turn's message, and those that steer the turn. They follow after all
# results of a batch of tools, and after an answer.

import asyncio
from contextlib import suppress

from .memory import fingerprint

# Sessions of older versions call no hook after tools. There, messages follow only after an answer.
_HOOK = "PostToolBatch"
_WRITE_SECONDS = 1


class Prompt:
    def __init__(self, content: list, inbox, to_content) -> None:
        """`to_content`: returns the content blocks of a message's parts."""
        self._inbox = inbox
        self._to_content = to_content
        self._is_over = False
        self._changed, self._written = asyncio.Event(), asyncio.Event()
        # Identifies the last message that steered the turn.
        self.last = None
        self._content = content
        self._waiting = []

    async def messages(self):
        """
        Ends after an answer, if no message waits then. Until then the SDK keeps its channel open, which older versions
        need for permission requests.
        """
        # Messages that wait already are part of the first one. The SDK asks for it when its program has started.
        self._take()
        self._waiting = [[*self._content, *(block for blocks in self._waiting for block in blocks)]]
        while True:
            while self._waiting:
                message = {"role": "user", "content": self._waiting.pop(0)}
                yield {"type": "user", "message": message, "parent_tool_use_id": None}
            self._written.set()
            if self._is_over:
                return
            await self._changed.wait()
            self._changed.clear()

    def hooks(self, sdk, own: dict | None) -> dict:
        """Returns the agent's hooks, with the one that steers."""
        own = own or {}
        return {**own, _HOOK: [*own.get(_HOOK, []), sdk.HookMatcher(hooks=[self._after_tools])]}

    def answered(self, result) -> None:
        """Call it with each result of the session."""
        if result.is_error or not self._take():
            self.end()

    def end(self) -> None:
        self._is_over = True
        self._changed.set()

    async def _after_tools(self, given, _id, _context) -> dict:
        """The session hands over what it gets here with its next request. Subagents are not steered."""
        if "agent_id" not in given:
            # First, the reader of the session records the tools' results.
            for _ in range(10):
                await asyncio.sleep(0)
            if self._take():
                with suppress(asyncio.TimeoutError):
                    await asyncio.wait_for(self._written.wait(), _WRITE_SECONDS)
        return {}

    def _take(self) -> bool:
        taken = self._inbox.take() if self._inbox.is_waiting and not self._is_over else []
        for message in taken:
            self.last = fingerprint(message["parts"])
            self._waiting.append(self._to_content(message["parts"]))
        if taken:
            self._written.clear()
            self._changed.set()
        return bool(taken)
