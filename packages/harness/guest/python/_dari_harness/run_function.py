# Runs a function of any colour and turns what it returns or yields into the parts of a result.

from types import FunctionType

from .channel import to_json
from .errors import TurnError

_DELTA_CHARS = 64 * 1024
_FRAME_ROOM_BYTES = 1024
_VARIADIC = 0x04
_CONTEXT_NAMES = ("context", "ctx")


def run_function(agent, prompt: str, context, limits: dict, channel) -> object:
    """
    The rules: text is one part; {"parts": [...]} is taken as it is; None is no part; other values are their JSON. What
    is yielded is a preview, and joined it is the result, unless a generator also returns something: then that is it.
    """
    args, kwargs = _arguments(agent, prompt, context)
    output = _Output(limits, channel)
    returned = agent(*args, **kwargs)
    if hasattr(returned, "__await__") or hasattr(returned, "__aiter__"):
        import asyncio

        return asyncio.run(_run_async(returned, output))
    if _is_iterator(returned):
        return _run_generator(returned, output)
    return output.to_parts(returned)


async def _run_async(returned, output: "_Output") -> object:
    if hasattr(returned, "__await__"):
        returned = await returned
    if hasattr(returned, "__aiter__"):
        async for value in returned:
            output.add(value)
        return output.to_parts(output.joined())
    if _is_iterator(returned):
        return _run_generator(returned, output)
    return output.to_parts(returned)


def _run_generator(generator, output: "_Output") -> object:
    while True:
        try:
            output.add(next(generator))
        except StopIteration as stop:
            return output.to_parts(output.joined() if stop.value is None else stop.value)


def _is_iterator(value) -> bool:
    return hasattr(value, "__next__")


class _Output:
    def __init__(self, limits: dict, channel) -> None:
        self._limits = limits
        self._channel = channel
        self._yielded = []
        self._bytes = 0

    def add(self, value) -> None:
        text = self._text_of_yield(value)
        self._bytes += len(text.encode("utf-8", "surrogatepass"))
        if self._bytes > self._limits["outputBytes"]:
            raise self._too_large()
        self._yielded.append(text)
        for at in range(0, len(text), _DELTA_CHARS):
            self._channel.send({"t": "delta", "text": text[at:at + _DELTA_CHARS]})

    def joined(self) -> str:
        return "".join(self._yielded)

    def to_parts(self, value) -> object:
        if value is None or value == "":
            return []
        if isinstance(value, dict) and "parts" in value:
            parts = value["parts"]
        else:
            parts = [{"type": "text", "text": value if isinstance(value, str) else _json_of(value)}]
        # The host counts exactly; here it only has to fit into one line.
        if len(_json_of(parts)) > self._limits["frameBytes"] - _FRAME_ROOM_BYTES:
            raise self._too_large()
        return parts

    @staticmethod
    def _text_of_yield(value) -> str:
        if value is None:
            return ""
        if isinstance(value, dict) and "parts" in value:
            raise TurnError("invalid_output", "the agent yielded {parts}: yield text, and return {parts}")
        return value if isinstance(value, str) else _json_of(value)

    def _too_large(self) -> TurnError:
        return TurnError("output_too_large", f"the agent's result has more than {self._limits['outputBytes']} bytes")


def _json_of(value) -> str:
    try:
        return to_json(value)
    except (TypeError, ValueError, RecursionError) as error:
        message = f"the agent's result cannot be written as JSON: {str(error) or type(error).__name__}"
        raise TurnError("invalid_output", message) from None


def _arguments(agent, prompt: str, context) -> tuple:
    """
    The prompt, then the context for a second positional parameter or one called `context` or `ctx`. A second parameter
    of another name that has a default other than None is the agent's own option and stays as it is.
    """
    positional, keywords, variadic = _parameters(agent)
    kwargs = {name: context for name in _CONTEXT_NAMES if name in keywords}
    if "prompt" in keywords:
        kwargs["prompt"] = prompt
    for name, _ in positional[2:]:
        if name in _CONTEXT_NAMES:
            kwargs[name] = context
    args = [prompt] if positional or variadic else []
    if len(positional) >= 2:
        name, default = positional[1]
        takes_context = name in _CONTEXT_NAMES or default is None or default is _REQUIRED
        if takes_context:
            args.append(context)
    elif variadic and not kwargs:
        args.append(context)
    return args, kwargs


_REQUIRED = object()


def _parameters(agent) -> tuple:
    """([(name, default)…] of positional parameters, names of keyword-only ones, whether it takes any number)."""
    if type(agent) is FunctionType and not hasattr(agent, "__wrapped__"):
        code = agent.__code__
        names = code.co_varnames[:code.co_argcount]
        defaults = agent.__defaults__ or ()
        padded = (_REQUIRED,) * (len(names) - len(defaults)) + defaults
        keywords = code.co_varnames[code.co_argcount:code.co_argcount + code.co_kwonlyargcount]
        return list(zip(names, padded)), keywords, bool(code.co_flags & _VARIADIC)
    import inspect

    try:
        parameters = inspect.signature(agent).parameters.values()
    except (TypeError, ValueError):
        return [("prompt", _REQUIRED)], (), False
    plain = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    positional = [(p.name, _REQUIRED if p.default is p.empty else p.default) for p in parameters if p.kind in plain]
    keywords = tuple(p.name for p in parameters if p.kind is inspect.Parameter.KEYWORD_ONLY)
    return positional, keywords, any(p.kind is inspect.Parameter.VAR_POSITIONAL for p in parameters)
