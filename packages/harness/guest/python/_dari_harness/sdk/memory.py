# What an SDK stores between a session's turns: JSON in the session's state folder, which is saved with the turn and
# restored for the next one.

import hashlib
import json
import os

_BLOB_PREFIX = "dari-blob:"
# Text of this length or more is stored in a separate file named by its hash, so that an image is stored once and not
# with each turn.
_BLOB_CHARS = 16 * 1024


class Memory:
    def __init__(self, name: str) -> None:
        """name: the SDK's folder in the session's state."""
        self.dir = os.path.join(os.environ.get("HOME") or os.path.expanduser("~"), ".dari", name)
        self._file = os.path.join(self.dir, "memory.json")

    def load(self):
        """Returns what was saved last; None in the first turn."""
        if not os.path.exists(self._file):
            return None
        with open(self._file, encoding="utf-8") as file:
            return self._replace(json.load(file), self._read_blob)

    def save(self, value) -> None:
        os.makedirs(os.path.join(self.dir, "blobs"), mode=0o700, exist_ok=True)
        with open(self._file, "w", encoding="utf-8") as file:
            json.dump(self._replace(value, self._write_blob), file)

    def _replace(self, value, text):
        if isinstance(value, str):
            return text(value)
        if isinstance(value, dict):
            return {key: self._replace(one, text) for key, one in value.items()}
        return [self._replace(one, text) for one in value] if isinstance(value, list) else value

    def _write_blob(self, text: str) -> str:
        if len(text) < _BLOB_CHARS and not text.startswith(_BLOB_PREFIX):
            return text
        data = text.encode("utf-8", "surrogatepass")
        name = hashlib.sha256(data).hexdigest()
        if not os.path.exists(self._blob_path(name)):
            with open(self._blob_path(name), "wb") as file:
                file.write(data)
        return _BLOB_PREFIX + name

    def _read_blob(self, text: str) -> str:
        if not text.startswith(_BLOB_PREFIX):
            return text
        with open(self._blob_path(text.removeprefix(_BLOB_PREFIX)), "rb") as file:
            return file.read().decode("utf-8", "surrogatepass")

    def _blob_path(self, name: str) -> str:
        return os.path.join(self.dir, "blobs", os.path.basename(name))


def fingerprint(parts: list) -> str:
    """Identifies a message in the history."""
    said = [part["text"] if part["type"] == "text" else part["file_id"] for part in parts]
    return hashlib.sha256(json.dumps(said).encode("ascii")).hexdigest()


def unknown_entries(history: list, last_fingerprint) -> list:
    """
    Returns the entries of the history that the memory does not contain: without a memory all of them, otherwise those
    of interrupted turns after it was saved.
    """
    if last_fingerprint is None:
        return history
    for at in range(len(history) - 1, -1, -1):
        if history[at]["role"] == "user" and fingerprint(history[at]["parts"]) == last_fingerprint:
            rest = history[at + 1:]
            return rest[1:] if rest and rest[0]["role"] == "assistant" else rest
    return []
