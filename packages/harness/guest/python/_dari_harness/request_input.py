# Checks what an agent asks for before it is sent to the host.

import re

from .channel import to_json

_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]*")
_KEY_CHARS = 128


def check_key(key, what: str = "request_input: the key") -> None:
    """Raises TypeError for a value that cannot be the key of an input, or the name of a step."""
    if not isinstance(key, str) or len(key) > _KEY_CHARS or _KEY.fullmatch(key) is None:
        raise TypeError(f"{what} must have 1 to {_KEY_CHARS} letters, digits and . _ : -, a letter or digit first")


def ask_frame(limits: dict, key: str, schema, prompt, expires_in_seconds, ending: dict) -> str:
    """Returns the line that ends the attempt, with `ending`. Raises TypeError or ValueError for an invalid input."""
    frame = {"t": "ask", "key": key, "schema": schema, **ending}
    if not isinstance(schema, dict):
        raise TypeError("request_input: the schema must be a JSON Schema, as a dict")
    if len(to_json(schema)) > limits["inputSchemaBytes"]:
        raise ValueError(f"request_input: the schema can have at most {limits['inputSchemaBytes']} bytes")
    if prompt is not None:
        if not isinstance(prompt, str) or len(prompt.encode("utf-16-le", "replace")) // 2 > limits["inputPromptChars"]:
            most = limits["inputPromptChars"]
            raise TypeError(f"request_input: the prompt must be text of at most {most} characters")
        frame["prompt"] = prompt
    if expires_in_seconds is not None:
        most = limits["inputWaitSeconds"]
        if type(expires_in_seconds) is not int or not 1 <= expires_in_seconds <= most:
            raise ValueError(f"request_input: expires_in_seconds must be a whole number from 1 to {most}")
        frame["waitSeconds"] = expires_in_seconds
    return to_json(frame)
