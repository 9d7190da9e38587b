# Recognizes a function that is an interactive program: it takes no prompt, and reads one from the terminal.

from types import CodeType, FunctionType

from .errors import TurnError

EXPORT_INSTEAD = "export a function that takes the prompt and returns the answer, or the agent that your SDK runs"
_VARIADIC = 0x04 | 0x08


def refuse_interactive(value, entry: dict) -> None:
    """Raises unsupported_export with what to export instead."""
    if type(value) is not FunctionType or hasattr(value, "__wrapped__"):
        return
    code = value.__code__
    takes_nothing = code.co_argcount + code.co_kwonlyargcount == 0 and not code.co_flags & _VARIADIC
    if takes_nothing and _reads_input(value, set()):
        reads = "takes no prompt and reads standard input, which a turn does not have"
        raise TurnError("unsupported_export", f"{entry['file']}:{entry['export']} {reads}; {EXPORT_INSTEAD}")


def _reads_input(function: FunctionType, seen: set) -> bool:
    """Returns whether it, or a function of its module that it names, calls input() or uses sys.stdin."""
    seen.add(function)
    names = set(_names_in(function.__code__))
    if "stdin" in names or ("input" in names and "input" not in function.__globals__):
        return True
    named = [function.__globals__.get(name) for name in names]
    others = [one for one in named if type(one) is FunctionType and one.__module__ == function.__module__]
    return any(_reads_input(one, seen) for one in others if one not in seen)


def _names_in(code: CodeType):
    yield from code.co_names
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            yield from _names_in(inner)
