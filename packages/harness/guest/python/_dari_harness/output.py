# The agent's output, as previews and as the parts of a result. All runners use it.

from .channel import to_json
from .errors import TurnError

_DELTA_CHARS = 64 * 1024
_FRAME_ROOM_BYTES = 1024


class Output:
    def __init__(self, limits: dict, channel) -> None:
        self._limits = limits
        self._channel = channel
        self._pieces = []
        self._bytes = 0

    def add(self, text: str, ordinal: int | None = None) -> None:
        """
        Sends a piece of text as a preview and stores it. `ordinal`: the number of the model request that writes it.
        Blocks while the host accepts no more.
        """
        self._bytes += len(text.encode("utf-8", "surrogatepass"))
        if self._bytes > self._limits["outputBytes"]:
            raise self._too_large()
        self._pieces.append(text)
        for at in range(0, len(text), _DELTA_CHARS):
            frame = {"t": "delta", "text": text[at:at + _DELTA_CHARS]}
            self._channel.send(frame if ordinal is None else {**frame, "ordinal": ordinal})

    def joined(self) -> str:
        return "".join(self._pieces)

    def to_parts(self, value) -> object:
        """Text becomes one part; {"parts": [...]} is used unchanged; None becomes no part; other values become JSON."""
        if value is None or value == "":
            return []
        parts = value["parts"] if is_parts(value) else [{"type": "text", "text": text_of(value)}]
        # The host checks the exact limit. Here it only must fit into one line.
        if len(_json_of(parts)) > self._limits["frameBytes"] - _FRAME_ROOM_BYTES:
            raise self._too_large()
        return parts

    def _too_large(self) -> TurnError:
        return TurnError("output_too_large", f"the agent's result has more than {self._limits['outputBytes']} bytes")


def is_parts(value) -> bool:
    return isinstance(value, dict) and "parts" in value


def text_of(value) -> str:
    """Returns text unchanged and anything else as JSON. Raises invalid_output if that is impossible."""
    return value if isinstance(value, str) else _json_of(value)


def _json_of(value) -> str:
    try:
        return to_json(value)
    except (TypeError, ValueError, RecursionError) as error:
        message = f"the agent's result cannot be written as JSON: {str(error) or type(error).__name__}"
        raise TurnError("invalid_output", message) from None
