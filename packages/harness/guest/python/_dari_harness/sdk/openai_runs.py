# Watches all runs of openai-agents in this process: the run of an exported agent, runs that the agent's own code
# starts, and runs of agents that are tools. The SDK starts each of them with its default runner, so this replaces that
# one. It does what the one before did.

import sys
from contextlib import contextmanager, suppress
from contextvars import ContextVar

from agents import RunHooks
from agents.run import AgentRunner, get_default_agent_runner, set_default_agent_runner

from .. import running
from .openai_activity import RecordedRun

# The SDK's name is an alias of the class in some versions.
_Hooks = getattr(RunHooks, "__origin__", RunHooks)
# The run that code belongs to.
_inside = ContextVar("dari_openai_run", default=None)


def watch_runs() -> None:
    if not isinstance(get_default_agent_runner(), _RecordingRunner):
        set_default_agent_runner(_RecordingRunner(get_default_agent_runner()))
        with suppress(ImportError, AttributeError):
            _watch_tool_errors()


def _watch_tool_errors() -> None:
    """
    The SDK catches what a tool raises, tells the model something else, and passes it to no hook. But it attaches a text
    to its trace while it handles the error.
    """
    from agents.util import _error_tracing

    attach = _error_tracing.attach_error_to_current_span

    def attach_and_note(*args, **kwargs) -> None:
        with suppress(Exception):
            _note_tool_error(sys.exc_info()[1], sys._getframe(1))
        attach(*args, **kwargs)

    _error_tracing.attach_error_to_current_span = attach_and_note


def _note_tool_error(error: BaseException | None, frame) -> None:
    """`frame`: where the error is handled. One of its callers has the context of the tool's call."""
    run = current_run()
    while error is not None and run is not None and frame is not None:
        for name in ("ctx", "context"):
            call_id = getattr(frame.f_locals.get(name), "tool_call_id", None)
            if isinstance(call_id, str):
                run.fail_tool(call_id, error)
                return
        frame = frame.f_back


def current_run() -> RecordedRun | None:
    return _inside.get()


class _RecordingRunner(AgentRunner):
    def __init__(self, runner) -> None:
        self._runner = runner

    async def run(self, starting_agent, input, **options):
        with _recorded(starting_agent, options) as run:
            result = await self._runner.run(starting_agent, input, **options)
            _end(run, result)
            return result

    def run_sync(self, starting_agent, input, **options):
        with _recorded(starting_agent, options) as run:
            result = self._runner.run_sync(starting_agent, input, **options)
            _end(run, result)
            return result

    def run_streamed(self, starting_agent, input, **options):
        with _recorded(starting_agent, options) as run:
            result = self._runner.run_streamed(starting_agent, input, **options)
            task = getattr(result, "run_loop_task", None) or getattr(result, "_run_impl_task", None)
            if run is not None and task is not None:
                task.add_done_callback(lambda task: _end_task(run, result, task))
            return result


@contextmanager
def _recorded(agent, options: dict):
    """Adds hooks to the options of a run. Yields the recorded run; None outside a turn."""
    run = None
    with suppress(Exception):
        run = _run_of(agent, options)
    token = _inside.set(run)
    try:
        yield run
    except BaseException as error:
        if run is not None:
            run.fail(error)
        raise
    finally:
        _inside.reset(token)


def _run_of(agent, options: dict) -> RecordedRun | None:
    hooks = options.get("hooks")
    if isinstance(hooks, RecordedRun):
        return hooks
    # The SDK refuses hooks of another kind.
    if running.context is None or not (hooks is None or isinstance(hooks, _Hooks)):
        return None
    outer = _inside.get()
    parent = outer.call_of(options.get("context")) if outer is not None else None
    config = options.get("run_config")
    model = config.get("model") if isinstance(config, dict) else getattr(config, "model", None)
    run = RecordedRun(running.context._activity, agent, model, outer, parent)
    options["hooks"] = run if hooks is None else _Both(run, hooks)
    return run


def _end(run: RecordedRun | None, result) -> None:
    if run is not None:
        run.end(result)


def _end_task(run: RecordedRun, result, task) -> None:
    if task.cancelled():
        run.fail(RuntimeError("the run was cancelled"))
    elif task.exception() is not None:
        run.fail(task.exception())
    else:
        run.end(result)


class _Both(RunHooks):
    """Calls the recorded run, and then the agent's own hooks."""

    def __init__(self, run: RecordedRun, own: RunHooks) -> None:
        self._run = run
        self._own = own

    def __getattribute__(self, name: str):
        if not name.startswith("on_"):
            return super().__getattribute__(name)

        async def call(*args, **kwargs) -> None:
            await getattr(self._run, name)(*args, **kwargs)
            await getattr(self._own, name)(*args, **kwargs)

        return call
