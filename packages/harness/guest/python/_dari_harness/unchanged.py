# Tells whether the code of loaded packages has been replaced, for example by the agent's own or by that of a tracer.

import functools
import os
import sys
from types import FunctionType, ModuleType

_STDLIB = os.path.dirname(os.__file__) + os.sep
_INSTALLED = tuple(_STDLIB + name for name in ("site-packages", "dist-packages"))
# The guest replaces some methods, to record what they do.
_GUEST = os.path.dirname(__file__) + os.sep
# Finders of modules that do nothing else when a module is imported.
_FINDERS = {"_dari_harness", "builtins", "six", "_distutils_hack", *sys.stdlib_module_names}


def is_watched() -> bool:
    """Whether code of the agent is called when others are, or when a module is imported."""
    return (
        sys.gettrace() is not None
        or sys.getprofile() is not None
        or any(_root(getattr(one, "__module__", "")) not in _FINDERS for one in sys.meta_path)
    )


def is_unchanged(packages: tuple, others: tuple, source: str) -> bool:
    """
    Whether the loaded modules of the packages have only functions that were written there, in `others` or in the
    standard library. Names that end with a dot are of modules that are not looked at. `source`: the agent's directory.
    """
    ignored = tuple(name for name in packages if name.endswith("."))
    roots = {name for name in packages if not name.endswith(".")}
    check = _Check(roots, {*roots, *others}, source)
    loaded = [(name, module) for name, module in list(sys.modules.items()) if _root(name) in roots]
    return all(check.is_own(module) for name, module in loaded if not name.startswith(ignored))


def _root(name) -> str:
    return name.partition(".")[0] if isinstance(name, str) else ""


class _Check:
    def __init__(self, roots: set, known: set, source: str) -> None:
        self._roots = roots
        self._known = {*known, *sys.stdlib_module_names}
        self._places = (_GUEST, *(place for place in map(_place_of, known) if place))
        self._source = source + os.sep
        self._dependencies = os.path.join(source, ".deps") + os.sep

    def is_own(self, module) -> bool:
        if not issubclass(type(module), ModuleType):
            return False
        return all(self._is_own_value(value, module.__name__) for value in list(vars(module).values()))

    def _is_own_value(self, value, module: str) -> bool:
        # Not isinstance, which asks the object.
        if type(value) is FunctionType:
            return self._is_own_function(value, _root(value.__module__) in self._roots)
        made = value if issubclass(type(value), type) else type(value)
        if made is value and made.__module__ == module:
            return all(self._is_own_attribute(one) for one in list(vars(made).values()))
        file = getattr(sys.modules.get(made.__module__), "__file__", None)
        return not callable(value) or file is None or not self._is_of_agent(file)

    def _is_own_attribute(self, value) -> bool:
        functions = _functions_of(value)
        if functions:
            return all(self._is_own_function(one, True) for one in functions)
        # What is called in place of a method.
        is_instance = callable(value) and not issubclass(type(value), type)
        return not is_instance or _root(type(value).__module__) in self._known

    def _is_own_function(self, function: FunctionType, is_member: bool) -> bool:
        file = function.__code__.co_filename
        if file.startswith(("<", *self._places)):
            return True
        if file.startswith(_STDLIB) and not file.startswith(_INSTALLED):
            return True
        return not is_member and not self._is_of_agent(file)

    def _is_of_agent(self, file: str) -> bool:
        if file.startswith((self._dependencies, *self._places)):
            return False
        return file.startswith(self._source)


def _functions_of(value) -> list:
    if type(value) in (staticmethod, classmethod):
        value = value.__func__
    if type(value) is property:
        made = [value.fget, value.fset, value.fdel]
    else:
        made = [value.func if type(value) is functools.cached_property else value]
    return [one for one in made if type(one) is FunctionType]


def _place_of(package: str) -> str | None:
    module = sys.modules.get(package)
    file = getattr(module, "__file__", None)
    if not isinstance(file, str):
        return None
    return os.path.dirname(file) + os.sep if hasattr(module, "__path__") else file
