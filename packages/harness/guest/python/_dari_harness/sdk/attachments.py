# Reads the files and images of a message for a model.

import base64
import os

from ..errors import TurnError

# Maximum size of a message's attachments before base64: what providers accept in one request.
_ATTACHED_BYTES_MAX = 32 * 1024 * 1024

_MEDIA_TYPES = {
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".gif": "image/gif",
    ".webp": "image/webp",
    ".pdf": "application/pdf",
    ".json": "application/json",
    ".csv": "text/csv",
    ".html": "text/html",
    ".md": "text/markdown",
    ".txt": "text/plain",
}


def read_parts(parts: list, workspace: str) -> list:
    """
    Returns the parts as {"type": "text", "text"} and {"type": "image" | "file", "filename", "media_type", "bytes"}.
    A file of an earlier message that is no longer in the workspace becomes a text. Raises agent_error above the limit.
    """
    left = _ATTACHED_BYTES_MAX
    read = []
    for part in parts:
        if part["type"] == "text":
            read.append({"type": "text", "text": part["text"]})
            continue
        path = part.get("local_path") or workspace + part["path"]
        if not os.path.isfile(path):
            read.append({"type": "text", "text": f"[the file {part['path']} is no longer there]"})
            continue
        left -= os.path.getsize(path)
        if left < 0:
            raise _too_large(part["path"])
        with open(path, "rb") as file:
            read.append({"type": part["type"], **_describe(path, part["type"]), "bytes": file.read()})
    return read


def _describe(path: str, kind: str) -> dict:
    fallback = "image/png" if kind == "image" else "application/octet-stream"
    media_type = _MEDIA_TYPES.get(os.path.splitext(path)[1].lower(), fallback)
    return {"filename": os.path.basename(path), "media_type": media_type}


def _too_large(path: str) -> TurnError:
    limit = f"a message's files can have at most {_ATTACHED_BYTES_MAX} bytes together to be shown to a model"
    return TurnError("agent_error", f"{path}: {limit}; an agent that is a function reads larger ones itself")


def base64_of(part: dict) -> str:
    return base64.b64encode(part["bytes"]).decode("ascii")


def data_url(part: dict) -> str:
    return f"data:{part['media_type']};base64,{base64_of(part)}"
