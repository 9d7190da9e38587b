# Finds the export and decides by its shape how it runs. SHAPES has one row per shape.

import importlib
import os
import sys
from contextlib import suppress

from .errors import TurnError
from .interactive import EXPORT_INSTEAD, refuse_interactive
from .run_function import run_function

_GENERATOR, _COROUTINE, _ASYNC_GENERATOR = 0x20, 0x80, 0x200


def _has_flag(value, flag: int) -> bool:
    function = value
    while hasattr(function, "func") and not hasattr(function, "__code__"):
        function = function.func
    code = getattr(getattr(function, "__func__", function), "__code__", None)
    return code is not None and bool(code.co_flags & flag)


def _is_instance(value, class_name: str) -> bool:
    return any(cls.__name__ == class_name for cls in type(value).__mro__)


def _is_agent(value) -> bool:
    return isinstance(getattr(value, "name", None), str) and _is_instance(value, "Agent")


def _prepare_function(found: str, _sdk: str):
    def runner_of(made):
        """A function may also create the Agent that is then run."""
        return _openai_runner(f"{found} that returned an Agent") if _is_agent(made) else None

    _watch_openai_runs()
    return lambda agent, turn: run_function(agent, turn, runner_of)


def _watch_openai_runs() -> None:
    """A function may run agents of openai-agents itself."""
    if "agents.run" in sys.modules:
        # The agent may have a package of its own with this name.
        with suppress(Exception):
            from .sdk.openai_agents import watch_runs

            watch_runs()


def _openai_runner(found: str):
    from .sdk.openai_agents import prepare

    return prepare(found)


def _prepare_openai_agent(found: str, _sdk: str):
    run = _openai_runner(found)
    return lambda agent, turn: turn.run_async(run(agent, turn))


def _prepare_options(found: str, sdk: str):
    if sdk != "claude-agent-sdk":
        return None
    from .sdk.claude_agent_sdk import prepare

    return prepare(found)


# The first match wins. The third function loads what runs this kind of export with an SDK and returns its runner. Rows
# without it describe what cannot be run.
SHAPES = (
    ("class", lambda value: isinstance(value, type), None),
    ("agent", _is_agent, _prepare_openai_agent),
    ("options", lambda value: _is_instance(value, "ClaudeAgentOptions"), _prepare_options),
    ("async_generator", lambda value: _has_flag(value, _ASYNC_GENERATOR), _prepare_function),
    ("generator", lambda value: _has_flag(value, _GENERATOR), _prepare_function),
    ("async_function", lambda value: _has_flag(value, _COROUTINE), _prepare_function),
    ("function", callable, _prepare_function),
    ("object", lambda value: isinstance(value, dict), _prepare_options),
)


def kind_of(value) -> str:
    return next((kind for kind, matches, _ in SHAPES if matches(value)), type(value).__name__)


def prepare_runner(value, frame: dict):
    """
    Loads what runs this kind of export: runner(value, turn) -> {"parts", "usage"?}. Raises unsupported_export with what
    was found, also if the required SDK is not installed.
    """
    kind, entry, sdk = kind_of(value), frame["entry"], frame["sdk"]
    what = f'an Agent named "{value.name}"' if kind == "agent" else f"of the kind {kind}"
    found = f"{entry['file']}:{entry['export']} is {what}"
    prepare = next((prepare for name, _, prepare in SHAPES if name == kind), None)
    runner = prepare and prepare(found, sdk)
    if runner is None:
        named = ", or name its SDK in dari.yml (sdk: claude-agent-sdk)" if kind in ("options", "object") else ""
        advice = named if sdk == "function" else ""
        message = f"{found}, which cannot be run under sdk: {sdk}; export a function{advice}"
        raise TurnError("unsupported_export", message)
    return runner


def find_export(entry: dict, image_dir: str):
    """
    Imports the module and returns the export. Raises entrypoint_not_found, unsupported_export for a program that reads
    standard input, or whatever the module raises.
    """
    path = _find_module(entry["file"], image_dir)
    base = _base_of(path, image_dir)
    set_search_path(image_dir, base, os.path.dirname(path))
    try:
        module = _import_module(path, base)
    except EOFError as error:
        # input() raises this if there is nothing to read.
        if str(error) != "EOF when reading a line":
            raise
        message = f"{entry['file']} reads standard input while it is imported, which ends it; {EXPORT_INSTEAD}"
        raise TurnError("unsupported_export", message) from error
    try:
        value = getattr(module, entry["export"])
    except AttributeError:
        names = [name for name in vars(module) if not name.startswith("_")][:20]
        has = f"it defines {', '.join(names)}" if names else "it defines nothing"
        message = f"{entry['file']} has no attribute \"{entry['export']}\"; {has}"
        raise TurnError("entrypoint_not_found", message) from None
    refuse_interactive(value, entry)
    return value


def _find_module(file: str, image_dir: str) -> str:
    """Returns the absolute path of `agent.py`, `pkg/mod.py`, `agent`, `pkg.mod` or a package."""
    dotted = file.replace(".", "/")
    for name in (file, f"{file}.py", f"{dotted}.py", f"{file}/__init__.py", f"{dotted}/__init__.py"):
        path = os.path.normpath(os.path.join(image_dir, name))
        if os.path.commonpath([path, image_dir]) != os.path.normpath(image_dir):
            raise TurnError("entrypoint_not_found", f"{file} is outside the agent's source")
        if os.path.isfile(path):
            return path
    raise TurnError("entrypoint_not_found", f"there is no file {file}")


def _base_of(path: str, image_dir: str) -> str:
    """
    Returns the folder that module names are relative to: the image's root, or the one above the file's package,
    because a package in `src/` imports itself by its own name.
    """
    base = os.path.dirname(path)
    if not _is_package(base):
        return image_dir
    while base != image_dir and _is_package(base):
        base = os.path.dirname(base)
    return base


def _src_of(image_dir: str) -> str:
    """Returns the packages' folder of a project with the `src` layout."""
    return os.path.join(image_dir, "src")


def _is_package(folder: str) -> bool:
    return os.path.exists(os.path.join(folder, "__init__.py"))


def set_search_path(image_dir: str, base: str, entry_dir: str) -> None:
    """
    Sets the order: the source, the standard library, installed dependencies, then the interpreter's own packages.
    Modules of `src/` and of the entrypoint's package are found by their bare names only if nothing else has them.
    """
    import site

    own = list(sys.path)
    dependencies = os.path.join(image_dir, ".deps")
    if os.path.isdir(dependencies):
        site.addsitedir(dependencies)
    added = sys.path[len(own):]
    first_site = next((i for i, path in enumerate(own) if path.endswith(("site-packages", "dist-packages"))), len(own))
    first, last = ([base], [entry_dir]) if _is_package(entry_dir) else ([entry_dir], [])
    path = [image_dir, *first, *own[:first_site], *added, *own[first_site:], *last]
    if os.path.isdir(_src_of(image_dir)):
        path.append(_src_of(image_dir))
    sys.path[:] = list(dict.fromkeys(path))
    importlib.invalidate_caches()


def _import_module(path: str, base: str):
    relative = os.path.relpath(path, base).removesuffix(".py").removesuffix("/__init__")
    name = relative.replace("/", ".")
    first = name.split(".")[0]
    importable = all(part.isidentifier() for part in name.split("."))
    if importable and first not in sys.modules and first not in sys.stdlib_module_names:
        return importlib.import_module(name)
    # A name that is taken (json.py) or cannot be imported (my-agent.py) gets another name.
    name = "agent_" + "".join(char if char.isalnum() else "_" for char in relative)
    from importlib.util import module_from_spec, spec_from_file_location

    spec = spec_from_file_location(name, path)
    module = module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module
