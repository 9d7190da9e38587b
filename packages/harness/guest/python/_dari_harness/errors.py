# Describes an agent's error for the channel.

import importlib.util
import os
import re
import sys

_MESSAGE_CHARS = 8_000
_STACK_CHARS = 32_000


class TurnError(Exception):
    """A failure that the guest found. Its message is for the agent's author."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


_REFUSED_TEXT = re.compile(
    r"\b401\b|\bauthentication[_ ]error\b|\b(invalid|incorrect)( x)?[ -]api[ -]key\b", re.IGNORECASE
)
_REFUSED_ADVICE = (
    "A service refused the agent's credential (401 Unauthorized). Check its value, and replace it with"
    " `dari credentials add`. If it has hosts, only HTTPS requests to them carry the value."
)
_CAUSES_MAX = 5
# Packages whose name on the registry is not the name that is imported.
_PACKAGES = {
    "PIL": "pillow",
    "agents": "openai-agents",
    "attr": "attrs",
    "bs4": "beautifulsoup4",
    "cv2": "opencv-python",
    "dateutil": "python-dateutil",
    "docx": "python-docx",
    "dotenv": "python-dotenv",
    "fitz": "pymupdf",
    "jwt": "pyjwt",
    "sklearn": "scikit-learn",
    "yaml": "pyyaml",
}


def model_error(text: str) -> TurnError:
    """Returns the failure for a model's error, which an SDK reports as text."""
    if _REFUSED_TEXT.search(text) is None:
        return TurnError("agent_error", text)
    return TurnError("credential_refused", _with_refused_advice(text))


def _with_refused_advice(message: str) -> str:
    return f"{message[:_MESSAGE_CHARS - 200]}\n{_REFUSED_ADVICE}"


def error_frame(error: BaseException) -> dict:
    if isinstance(error, TurnError):
        return {"t": "error", "code": error.code, "message": error.message, "stack": ""}
    code = "out_of_memory" if isinstance(error, MemoryError) else "agent_error"
    message, stack = _message(error)[:_MESSAGE_CHARS], _stack(error)[-_STACK_CHARS:]
    if _is_refused(error):
        code, message = "credential_refused", _with_refused_advice(message)
    return {"t": "error", "code": code, "message": message, "stack": stack}


def _is_refused(error: BaseException) -> bool:
    """Returns whether an HTTP client raised the error for a reply with status 401."""
    for _ in range(_CAUSES_MAX):
        if error is None:
            return False
        try:
            response = getattr(error, "response", None)
            statuses = (getattr(error, "status_code", None), getattr(response, "status_code", None))
            # urllib's HTTPError has it as `code`.
            if 401 in statuses or (type(error).__name__ == "HTTPError" and getattr(error, "code", None) == 401):
                return True
        except Exception:
            return False
        error = error.__cause__
    return False


def _message(error: BaseException) -> str:
    try:
        return f"{type(error).__name__}: {error}{_advise_missing(error)}"
    except Exception:
        return type(error).__name__


def _advise_missing(error: BaseException) -> str:
    """Returns what to do about an imported package that is not installed."""
    if not isinstance(error, ModuleNotFoundError) or not error.name:
        return ""
    top = error.name.partition(".")[0]
    # Something of this name is there, so a module of it is missing and not a package.
    if top in sys.modules or top in sys.stdlib_module_names or importlib.util.find_spec(top) is not None:
        return ""
    bundle = os.environ.get("DARI_BUNDLE_DIR", "")
    has = {name: os.path.exists(os.path.join(bundle, name)) for name in ("requirements.txt", "pyproject.toml")}
    file = "pyproject.toml" if has["pyproject.toml"] and not has["requirements.txt"] else "requirements.txt"
    return f"; add {_PACKAGES.get(top, top)} to {file}"


def _stack(error: BaseException) -> str:
    try:
        import traceback

        # Without the guest's own frames, which do not help the agent's author.
        frames = error.__traceback__
        while frames is not None and frames.tb_frame.f_globals.get("__package__") == __package__:
            frames = frames.tb_next
        return "".join(traceback.format_exception(type(error), error, frames or error.__traceback__))
    except Exception:
        return ""
