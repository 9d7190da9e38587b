# Describes an agent's error for the channel.

_MESSAGE_CHARS = 8_000
_STACK_CHARS = 32_000


class TurnError(Exception):
    """A failure that the guest found. Its message is for the agent's author."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def error_frame(error: BaseException) -> dict:
    if isinstance(error, TurnError):
        return {"t": "error", "code": error.code, "message": error.message, "stack": ""}
    code = "out_of_memory" if isinstance(error, MemoryError) else "agent_error"
    message, stack = _message(error)[:_MESSAGE_CHARS], _stack(error)[-_STACK_CHARS:]
    return {"t": "error", "code": code, "message": message, "stack": stack}


def _message(error: BaseException) -> str:
    try:
        return f"{type(error).__name__}: {error}"
    except Exception:
        return type(error).__name__


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
