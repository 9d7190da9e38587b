# What an agent says, as previews and as the parts of a result. Every runner of an export speaks through it.

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

    def add(self, text: str) -> None:
        """Previews a piece of text and keeps it; blocks while the host takes no more."""
        self._bytes += len(text.encode("utf-8", "surrogatepass"))
        if self._bytes > self._limits["outputBytes"]:
            raise self._too_large()
        self._pieces.append(text)
        for at in range(0, len(text), _DELTA_CHARS):
            self._channel.send({"t": "delta", "text": text[at:at + _DELTA_CHARS]})

    def joined(self) -> str:
        return "".join(self._pieces)

    def to_parts(self, value) -> object:
        """Text is one part; {"parts": [...]} is taken as it is; None is no part; other values are their JSON."""
        if value is None or value == "":
            return []
        parts = value["parts"] if is_parts(value) else [{"type": "text", "text": text_of(value)}]
        # The host counts exactly; here it only has to fit into one line.
        if len(_json_of(parts)) > self._limits["frameBytes"] - _FRAME_ROOM_BYTES:
            raise self._too_large()
        return parts

    def _too_large(self) -> TurnError:
        return TurnError("output_too_large", f"the agent's result has more than {self._limits['outputBytes']} bytes")


def is_parts(value) -> bool:
    return isinstance(value, dict) and "parts" in value


def text_of(value) -> str:
    """Text as it is, anything else as its JSON. Raises invalid_output for what has none."""
    return value if isinstance(value, str) else _json_of(value)


def _json_of(value) -> str:
    try:
        return to_json(value)
    except (TypeError, ValueError, RecursionError) as error:
        message = f"the agent's result cannot be written as JSON: {str(error) or type(error).__name__}"
        raise TurnError("invalid_output", message) from None
