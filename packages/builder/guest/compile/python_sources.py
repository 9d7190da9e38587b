"""Compiles every .py below the working directory, as `python -m compileall` with these arguments does, and says with
which imports the agent begins. Runs inside a build sandbox, in the tree of the build; argv: the agent's file, then the
arguments. Of the agent's code it carries out nothing.
"""

import ast
import compileall
import functools
import importlib.machinery
import json
import os
import sys

DEPENDENCIES = ".deps"
IMPORTS_CHARS_MAX = 64 * 1024
FILES_MAX = 500
FILE_BYTES_MAX = 1024 * 1024
# Loaded before the agent is, or found before its files are.
TAKEN = {*sys.stdlib_module_names, "__main__", "_dari_harness"}


class Stop(Exception):
    """From here on something else than an import comes first, or may do so."""


def main():
    entry, *arguments = sys.argv[1:]
    sys.argv[1:] = arguments
    compileall.main()
    begins = Begin(entry)
    try:
        begins.load_entry(entry)
    except (Stop, SyntaxError, ValueError, TypeError, OSError, RecursionError, MemoryError):
        pass
    print(json.dumps(begins.imports if any(is_installed(module) for module, _ in begins.imports) else []))


def is_installed(module):
    return any(stem(name) == module.partition(".")[0] for name in entries(DEPENDENCIES))


class Begin:
    """
    The imports of modules that are not the agent's own, in the order in which loading its file carries them out, up to
    the first statement that does anything else.
    """

    def __init__(self, entry):
        folder = os.path.dirname(os.path.normpath(entry))
        base = folder if is_package(folder) else ""
        while base and is_package(base):
            base = os.path.dirname(base)
        self.base = base
        # Where modules are looked for before packages are, and after.
        self.first = list(dict.fromkeys(["", base if is_package(folder) else folder]))
        self.last = [*([folder] if is_package(folder) else []), "src"]
        self.imports = []
        self.chars = 0
        self.loaded = set()

    def load_entry(self, path):
        """As the guest does: with the packages above it, where it can be imported by its name."""
        *packages, _ = parts = os.path.relpath(path, self.base or ".").removesuffix(".py").split("/")
        if all(part.isidentifier() for part in parts) and parts[0] not in TAKEN:
            for number in range(len(packages)):
                above = os.path.join(self.base, *packages[: number + 1], "__init__.py")
                if os.path.isfile(above):
                    self.load(above)
        self.load(path)

    def load(self, path):
        path = os.path.normpath(path)
        if path in self.loaded:
            return
        if len(self.loaded) == FILES_MAX or os.path.getsize(path) > FILE_BYTES_MAX:
            raise Stop
        # Python would take what was compiled.
        if any(os.path.exists(path.removesuffix(".py") + end) for end in importlib.machinery.EXTENSION_SUFFIXES):
            raise Stop
        self.loaded.add(path)
        with open(path, "rb") as source:
            tree = ast.parse(source.read())
        for statement in tree.body:
            self.follow(statement, os.path.dirname(path))

    def follow(self, statement, folder):
        if is_import(statement) and not all(names_harmlessly(statement, alias) for alias in statement.names):
            raise Stop
        if isinstance(statement, ast.Import):
            for alias in statement.names:
                self.find(alias.name, [])
        elif isinstance(statement, ast.ImportFrom) and statement.level == 0:
            self.find(statement.module, [alias.name for alias in statement.names])
        elif isinstance(statement, ast.ImportFrom):
            for _ in range(statement.level - 1):
                folder = os.path.dirname(folder)
            if not is_package(folder):
                raise Stop
            parts = statement.module.split(".") if statement.module else []
            self.own(folder, parts, [alias.name for alias in statement.names])
        elif not does_nothing(statement):
            raise Stop

    def find(self, module, names):
        if module == "__future__":
            return
        parts = module.split(".")
        for folder in self.first:
            if has_name(folder, parts[0]):
                if parts[0] in TAKEN:
                    raise Stop
                return self.own(folder, parts, names)
        if any(has_name(folder, parts[0]) for folder in self.last):
            raise Stop
        if [module, names] not in self.imports:
            self.chars += len(json.dumps([module, names]))
            if self.chars > IMPORTS_CHARS_MAX:
                raise Stop
            self.imports.append([module, names])

    def own(self, folder, parts, names):
        """A module of the agent's, and what is above it, are loaded in their turn."""
        for number, part in enumerate(parts, 1):
            if not has_name(folder, part):
                raise Stop
            package = os.path.join(folder, part)
            if has_name(package, "__init__"):
                folder = package
                self.load(os.path.join(package, "__init__.py"))
            elif number == len(parts) and os.path.isfile(package + ".py"):
                return self.load(package + ".py")
            else:
                raise Stop
        # They may be modules, unless the package has said by itself what they are.
        for name in names:
            if name == "*" or has_name(folder, name):
                if os.path.getsize(os.path.join(folder, "__init__.py")) > 0:
                    raise Stop
                if name != "*":
                    self.own(folder, [name], [])


def does_nothing(statement):
    """But to give names to constants, or to tell type checkers."""
    if isinstance(statement, (ast.Expr, ast.Assign)):
        value = ast.literal_eval(statement.value)
        if isinstance(statement, ast.Expr):
            return True
        return all(isinstance(one, ast.Name) and is_harmless(one.id, value) for one in statement.targets)
    is_for_checkers = isinstance(statement, ast.If) and ast.dump(statement.test) in CHECKERS
    return isinstance(statement, ast.Pass) or (is_for_checkers and not statement.orelse)


def is_import(statement):
    return isinstance(statement, (ast.Import, ast.ImportFrom))


def names_harmlessly(statement, alias):
    is_typing = alias.asname is None and (getattr(statement, "module", None) or alias.name) in TYPING
    return is_harmless((alias.asname or alias.name).partition(".")[0], False if is_typing else None)


def is_harmless(name, value):
    """Some names tell Python how to import, and some are looked at above."""
    if name in ("TYPE_CHECKING", "typing"):
        return value is False
    return not name.startswith("__") or name in ("__all__", "__version__")


TYPING = ("typing", "typing_extensions")
CHECKERS = [ast.dump(ast.parse(text, mode="eval").body) for text in ("TYPE_CHECKING", "typing.TYPE_CHECKING")]


def is_package(folder):
    """As the guest sees it."""
    return os.path.exists(os.path.join(folder, "__init__.py"))


@functools.cache
def has_name(folder, name):
    """Whatever it is: a module, a package, a folder, something that was compiled."""
    return any(stem(entry) == name for entry in entries(folder))


def stem(name):
    return name.partition(".")[0]


@functools.cache
def entries(folder):
    try:
        return os.listdir(folder or ".")
    except OSError:
        return []


main()
