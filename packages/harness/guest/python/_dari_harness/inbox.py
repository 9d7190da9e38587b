# Messages that clients send to steer the running turn. The host says only that some wait. `take` asks for them, so
# that their place in the session is where the agent got them.

import threading
from contextlib import suppress


class Messages(list):
    """A list that can be awaited, so that `await inbox.take()` and `inbox.take()` are the same."""

    def __await__(self):
        return self
        yield


class Inbox:
    """What agents see of it is `Inbox` in dari_agent. SDK adapters also use `on_waiting`."""

    def __init__(self, channel) -> None:
        self._channel = channel
        # One request at a time: a later one finds what the host has announced since.
        self._asking = threading.Lock()
        self._changed = threading.Condition()
        self._hinted = False
        self._over = False
        self._answer = None
        # Messages that the agent has not got yet, in order.
        self._rest = []
        # How many of this attempt's messages the agent has got. Below zero: it has not got all earlier ones.
        self._given = 0
        self._callbacks = []

    @property
    def is_waiting(self) -> bool:
        """Whether `take` may return messages."""
        return not self._over and (self._hinted or bool(self._rest))

    def on_waiting(self, callback):
        """
        Calls back each time the host says that messages wait, and at the turn's end, on the thread that reads the
        channel. There, `take` would wait for itself. Returns a function that stops it.
        """
        self._callbacks.append(callback)

        def stop() -> None:
            with suppress(ValueError):
                self._callbacks.remove(callback)

        return stop

    def take(self) -> Messages:
        """
        Returns the messages that wait, oldest first: [{"id", "text", "parts"}]. Asks the host only if some do, and
        blocks until it has answered.
        """
        with self._asking:
            self._ask()
            return self._give(len(self._rest))

    def _give(self, count: int) -> Messages:
        """Removes up to `count` messages from the rest. After the end, it stays: the platform delivers it later."""
        with self._changed:
            messages = Messages() if self._over else Messages(self._rest[:count])
            del self._rest[:len(messages)]
            self._given += len(messages)
            return messages

    def _ask(self) -> None:
        """Adds what waits at the host to the rest."""
        with self._changed:
            if self._over or not self._hinted:
                return
            self._hinted = False
            self._answer = None
        self._channel.send({"t": "take"})
        with self._changed:
            self._changed.wait_for(lambda: self._over or self._answer is not None)
            self._rest.extend(_with_text(one) for one in self._answer or ())

    def _next(self) -> dict | None:
        with self._asking:
            if not self._rest:
                self._ask()
            messages = self._give(1)
            return messages[0] if messages else None

    async def __aiter__(self):
        """Ends when the entrypoint has returned or the turn is stopped."""
        import asyncio

        loop, changed = asyncio.get_running_loop(), asyncio.Event()
        stop = self.on_waiting(lambda: loop.call_soon_threadsafe(changed.set))
        try:
            while not self._over:
                changed.clear()
                message = self._next()
                if message is not None:
                    yield message
                elif not self._over:
                    await changed.wait()
        finally:
            stop()

    # For the frames of the host.

    def _hint(self) -> None:
        with self._changed:
            self._hinted = not self._over
        self._notify()

    def _deliver(self, messages: list) -> None:
        with self._changed:
            self._answer = messages
            self._changed.notify_all()

    def _replay(self, earlier: list) -> None:
        """Gives the agent what earlier runs of the turn have taken, before everything else."""
        with self._changed:
            self._rest[:0] = [_with_text(one) for one in earlier]
            self._given -= len(earlier)

    def _drop_earlier(self) -> None:
        """For an agent that still has them."""
        with self._changed:
            left = max(0, -self._given)
            del self._rest[:left]
            self._given += left

    def _delivered(self) -> int:
        """Returns how many of this attempt's messages the agent has got."""
        with self._changed:
            return max(0, self._given)

    def _end(self) -> None:
        """Nothing more can be taken."""
        with self._changed:
            self._over = True
            self._changed.notify_all()
        self._notify()

    def _notify(self) -> None:
        for callback in list(self._callbacks):
            # Its event loop may have ended.
            with suppress(RuntimeError):
                callback()


def _with_text(message: dict) -> dict:
    return {**message, "text": _text_of(message["parts"])}


def _text_of(parts: list) -> str:
    """Returns the text parts, one paragraph each, as in a prompt."""
    return "\n\n".join(part["text"] for part in parts if part["type"] == "text")
