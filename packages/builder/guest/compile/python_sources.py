"""Compiles every .py below the working directory, as `python -m compileall` with these arguments does, and says with
which imports the agent begins. Runs inside a build sandbox, in the tree of the build; argv: the agent's file, then the
arguments. Of the agent's code it carries out nothing.
"""

import ast
import compileall
import json
import os
import sys

DEPENDENCIES = ".deps"
IMPORTS_MAX = 500
FILES_MAX = 500
FILE_BYTES_MAX = 1024 * 1024


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
        base = folder
        while base and is_package(base):
            base = os.path.dirname(base)
        self.base = base
        # Where modules are looked for before packages are, and after.
        self.first = list(dict.fromkeys(["", base if is_package(folder) else folder]))
        self.last = [folder] if is_package(folder) else []
        self.imports = []
        self.loaded = set()

    def load_entry(self, path):
        """As the guest does: with the packages above it, where it can be imported by its name."""
        *packages, _ = parts = os.path.relpath(path, self.base or ".").removesuffix(".py").split("/")
        if all(part.isidentifier() for part in parts) and parts[0] not in sys.stdlib_module_names:
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
        self.loaded.add(path)
        with open(path, "rb") as source:
            tree = ast.parse(source.read())
        for statement in tree.body:
            self.follow(statement, os.path.dirname(path))

    def follow(self, statement, folder):
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
                return self.own(folder, parts, names)
        if len(self.imports) == IMPORTS_MAX or any(has_name(folder, parts[0]) for folder in self.last):
            raise Stop
        if [module, names] not in self.imports:
            self.imports.append([module, names])

    def own(self, folder, parts, names):
        """A module of the agent's, and what is above it, are loaded in their turn."""
        for number, part in enumerate(parts, 1):
            if not has_name(folder, part):
                raise Stop
            package = os.path.join(folder, part)
            if is_package(package):
                folder = package
                self.load(os.path.join(package, "__init__.py"))
            elif number == len(parts) and os.path.isfile(package + ".py"):
                return self.load(package + ".py")
            else:
                raise Stop
        # They may be modules, unless the package has said by itself what they are.
        for name in names:
            if has_name(folder, name):
                if os.path.getsize(os.path.join(folder, "__init__.py")) > 0:
                    raise Stop
                self.own(folder, [name], [])


def does_nothing(statement):
    """But to give names to constants, or to tell type checkers."""
    if isinstance(statement, (ast.Expr, ast.Assign)):
        ast.literal_eval(statement.value)
        return isinstance(statement, ast.Expr) or all(is_harmless(target) for target in statement.targets)
    is_for_checkers = isinstance(statement, ast.If) and ast.dump(statement.test) in CHECKERS
    return isinstance(statement, ast.Pass) or (is_for_checkers and not statement.orelse)


def is_harmless(target):
    """Some names tell Python how to import."""
    return isinstance(target, ast.Name) and (not target.id.startswith("__") or target.id in ("__all__", "__version__"))


CHECKERS = [ast.dump(ast.parse(text, mode="eval").body) for text in ("TYPE_CHECKING", "typing.TYPE_CHECKING")]


def is_package(folder):
    return os.path.isfile(os.path.join(folder, "__init__.py"))


def has_name(folder, name):
    """Whatever it is: a module, a package, a folder, something that was compiled."""
    return any(stem(entry) == name for entry in entries(folder))


def stem(name):
    return name.partition(".")[0]


def entries(folder):
    try:
        return os.listdir(folder or ".")
    except OSError:
        return []


main()
