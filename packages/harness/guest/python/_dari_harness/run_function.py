# Runs any kind of function and turns what it returns or yields into the parts of a result.

from types import FunctionType

from .errors import TurnError
from .output import Output, is_parts, text_of
from .usage import usage_of_result

_VARIADIC = 0x04
_CONTEXT_NAMES = ("context", "ctx")


def run_function(agent, turn, runner_of=lambda made: None) -> dict:
    """
    Text becomes one part; {"parts": [...], "usage"?: {...}} is used unchanged; None becomes no part; other values
    become JSON. Yielded values are previews, and joined they are the result, unless a generator also returns a value:
    then that is the result. If `runner_of(returned)` returns a runner, it runs what the function made instead.
    """
    turn.context._replay_inbox()
    args, kwargs = _arguments(agent, turn.prompt, turn.context)
    output = Output(turn.limits, turn.channel)
    returned = agent(*args, **kwargs)
    if hasattr(returned, "__await__") or hasattr(returned, "__aiter__"):
        return turn.run_async(_run_async(returned, turn, output, runner_of))
    runner = runner_of(returned)
    if runner is not None:
        return turn.run_async(runner(returned, turn))
    return _take(returned, output)


def _take(returned, output: Output) -> dict:
    return _run_generator(returned, output) if _is_iterator(returned) else _result_of(returned, output)


def _result_of(value, output: Output) -> dict:
    return {"parts": output.to_parts(value), **(usage_of_result(value) if is_parts(value) else {})}


async def _run_async(returned, turn, output: Output, runner_of) -> dict:
    if hasattr(returned, "__await__"):
        returned = await returned
    if hasattr(returned, "__aiter__"):
        async for value in returned:
            output.add(_text_of_yield(value))
        return {"parts": output.to_parts(output.joined())}
    runner = runner_of(returned)
    if runner is not None:
        return await runner(returned, turn)
    return _take(returned, output)


def _run_generator(generator, output: Output) -> dict:
    while True:
        try:
            output.add(_text_of_yield(next(generator)))
        except StopIteration as stop:
            return _result_of(output.joined() if stop.value is None else stop.value, output)


def _text_of_yield(value) -> str:
    if value is None:
        return ""
    if is_parts(value):
        raise TurnError("invalid_output", "the agent yielded {parts}: yield text, and return {parts}")
    return text_of(value)


def _is_iterator(value) -> bool:
    return hasattr(value, "__next__")


def _arguments(agent, prompt: str, context) -> tuple:
    """
    Returns the prompt, and the context for a second positional parameter or one called `context` or `ctx`. A second
    parameter of another name with a default other than None is the agent's own option and stays unset.
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
    """Returns [(name, default)…] of positional parameters, names of keyword-only ones, and whether it has *args."""
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
