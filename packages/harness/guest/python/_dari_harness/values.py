# Values that do not fit into an event: whole texts, pictures and other binary parts. Each is sent in a frame of its
# own, and the event has its id.

import base64
import json
import os
import re
import threading

from .channel import to_json

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
# What JSON with a binary part contains.
_MARK = re.compile(r';base64,|"(?:media_?type|mime_?type)"|"iVBORw0KGgo', re.IGNORECASE)
# How a PNG in base64 begins. Computer tools return screenshots so, without a media type.
_PNG = "iVBORw0KGgo"
_BINARY_TYPE = re.compile(r"(?!text/)[a-z0-9][a-z0-9.+-]*/[a-z0-9.+-]+", re.IGNORECASE)
_DATA_URL = re.compile(r"data:([^;,]+)(?:;[^;,]*)*;base64,")
# Types of blocks that are nothing but their binary part.
_BLOCK_TYPE = re.compile("image|screenshot|audio|document|file")
_HEADER_CHARS = 200
_NOT_BASE64 = re.compile(r"[^A-Za-z0-9+/=_\s-]")
_PADDING = re.compile(r"[\s=]")


class Values:
    def __init__(self, limits: dict, channel, is_open) -> None:
        """`is_open` tells whether the next event will be stored."""
        self._limits = limits
        self._channel = channel
        self._is_open = is_open
        self._counting = threading.Lock()
        self._kept = 0
        self._kept_bytes = 0

    def keep_text(self, data: bytes, is_json: bool) -> str | None:
        """Sends a text whole. Returns its id; None if it exceeds a limit."""
        media_type = "application/json" if is_json else "text/plain"
        return self._keep(media_type, len(data), lambda: base64.b64encode(data).decode("ascii"))

    def without_binary(self, text: str) -> str | None:
        """Returns the JSON of a value with a stand-in for each binary part; None if it has none."""
        is_part = text.startswith(_PNG) or _DATA_URL.match(text[:_HEADER_CHARS]) is not None
        if not is_part and not (_MARK.search(text) and text.lstrip()[:1] in ("[", "{")):
            return None
        try:
            value = text if is_part else json.loads(text)
            found = []
            shown = self._replace(value, found)
            return json.dumps(shown, ensure_ascii=False, separators=(",", ":")) if found else None
        except (ValueError, RecursionError):
            return None

    def _replace(self, value, found: list):
        binary = _binary_of(value)
        if binary is not None:
            found.append(binary[0])
            return self._stand_in(*binary)
        if isinstance(value, dict):
            return {key: self._replace(one, found) for key, one in value.items()}
        return [self._replace(one, found) for one in value] if isinstance(value, list) else value

    def _stand_in(self, media_type: str, data: str) -> dict:
        kind = media_type.split("/")[0]
        size = len(_PADDING.sub("", data)) * 3 // 4
        shown = {"type": kind if kind in ("image", "audio") else "file", "media_type": media_type, "size_bytes": size}
        value_id = self._keep(media_type, size, lambda: data)
        return shown if value_id is None else {**shown, "value_id": value_id}

    def _keep(self, media_type: str, size: int, to_base64) -> str | None:
        limits = self._limits
        with self._counting:
            is_within = size <= limits["valueBytes"] and self._kept_bytes + size <= limits["valueBytesPerAttempt"]
            if not is_within or self._kept >= limits["values"] or not self._is_open():
                return None
            self._kept += 1
            self._kept_bytes += size
        value_id = _new_value_id()
        frame = {"t": "value", "id": value_id, "media_type": media_type, "base64": to_base64()}
        self._channel.send_line(to_json(frame))
        return value_id


def _binary_of(value) -> tuple[str, str] | None:
    """Returns the media type and the base64 of a value that is one binary part."""
    if isinstance(value, str):
        return _of_text(value)
    if not isinstance(value, dict):
        return None
    source = value.get("source")
    part = source if isinstance(source, dict) and source.get("type") == "base64" else value
    media = next((part[name] for name in ("media_type", "mimeType", "mediaType") if part.get(name)), None)
    data = part.get("data") or part.get("blob")
    if isinstance(media, str) and _BINARY_TYPE.fullmatch(media) and _is_base64(data):
        return media.lower(), data
    kind = value.get("type")
    if not isinstance(kind, str) or not _BLOCK_TYPE.search(kind):
        return None
    return next((found for found in map(_of_text, value.values()) if found), None)


def _of_text(value) -> tuple[str, str] | None:
    if not isinstance(value, str):
        return None
    if value.startswith(_PNG):
        return ("image/png", value) if _is_base64(value) else None
    if not value.startswith("data:"):
        return None
    header = _DATA_URL.match(value[:_HEADER_CHARS])
    if header is None or not _BINARY_TYPE.fullmatch(header[1]):
        return None
    data = value[header.end():]
    return (header[1].lower(), data) if _is_base64(data) else None


def _is_base64(value) -> bool:
    return isinstance(value, str) and value != "" and _NOT_BASE64.search(value) is None


def _new_value_id() -> str:
    return "val_" + "".join(_ALPHABET[byte & (7 if at == 0 else 31)] for at, byte in enumerate(os.urandom(26)))
