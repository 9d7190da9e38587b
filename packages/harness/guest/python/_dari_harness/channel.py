# Lines of JSON on one inherited descriptor. This process ends when the host closes it.

import fcntl
import json
import os
import threading

_dumps = json.dumps
_loads = json.loads
_write = os.write
_read = os.read
_exit = os._exit
_first_private_descriptor = 64


class Channel:
    """
    Moves the descriptor away from the agent and its child processes, unless the worker checks this process
    from outside and expects its number.
    """

    def __init__(self, descriptor: int, stays: bool = False) -> None:
        self._fd = descriptor
        if not stays:
            self._fd = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, _first_private_descriptor)
            os.close(descriptor)
        self._lock = threading.Lock()
        # A forked child is not the turn: it must not write to the channel or keep it open.
        os.register_at_fork(after_in_child=self._close)

    def _close(self) -> None:
        try:
            os.close(self._fd)
        except OSError:
            # The child of a template has none from the start.
            pass
        self._fd = -1

    def send(self, frame: dict) -> None:
        self.send_line(to_json(frame))

    def send_line(self, line: str) -> None:
        """Blocks while the host accepts no more, so a caller cannot fill the buffer."""
        left = memoryview((line + "\n").encode("ascii"))
        with self._lock:
            while left:
                left = left[_write(self._fd, left):]

    def receive(self) -> dict:
        """Returns the next frame, if nothing has been read ahead. Ends the process when the host closes the channel."""
        line = b""
        while not line.endswith(b"\n"):
            char = _read(self._fd, 1)
            if not char:
                _exit(0)
            line += char
        return _loads(line)

    def receive_forever(self, on_frame) -> None:
        """Calls on_frame for each line, in this thread. Ends the process when the host closes the channel."""
        pieces = []
        while True:
            chunk = _read(self._fd, 65536)
            if not chunk:
                _exit(0)
            *whole, rest = chunk.split(b"\n")
            for line in whole:
                pieces.append(line)
                on_frame(_loads(b"".join(pieces)))
                pieces = []
            pieces.append(rest)


class TurnChannel:
    """The channel of one turn. After the turn has ended, nothing that still runs can send."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._lock = threading.Lock()
        self._is_over = False

    def send(self, frame: dict) -> None:
        self.send_line(to_json(frame))

    def send_line(self, line: str) -> None:
        with self._lock:
            if not self._is_over:
                self._channel.send_line(line)

    def end(self) -> None:
        with self._lock:
            self._is_over = True


def to_json(value) -> str:
    """Returns ASCII JSON without NaN, which any reader accepts. Raises TypeError, ValueError or RecursionError."""
    return _dumps(value, allow_nan=False, separators=(",", ":"))
