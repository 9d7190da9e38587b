# Loads packages ahead of the agent whose first imports they are: its check is then one of its own code.

import os
import sys

from .entrypoint import own_folders, set_search_path
from .errors import TurnError


class Ahead:
    """What was loaded, for an agent that may turn out to have modules of the same names."""

    def __init__(self, frame: dict, image_dir: str, known: set) -> None:
        """`known`: the modules of a guest that has loaded nothing."""
        self._known, path, asked = known, list(sys.path), _Asked()
        sys.meta_path.insert(0, asked)
        set_search_path(image_dir, image_dir, image_dir)
        searched = list(sys.path)
        for module, names in frame["imports"]:
            # As the agent says it: names are looked up, too.
            exec(f"from {module} import {', '.join(names)}" if names else f"import {module}", {})
        if sys.path != searched:
            raise TurnError("agent_error", "its packages say where modules are to be found")
        sys.meta_path.remove(asked)
        # The agent's own folders come first, and are not there yet.
        sys.path[:] = path
        self._asked = asked.names

    def load(self, load, frame: dict, image_dir: str) -> tuple:
        """Loads the agent. Raises where a file of its own would have been found in place of what was loaded ahead."""
        names = self._asked | {name.partition(".")[0] for name in set(sys.modules) - self._known}
        loaded = load(frame)
        for folder in own_folders(frame["entry"], image_dir) | _searched_folders(image_dir):
            # An archive may hold anything.
            for name in os.listdir(folder) if os.path.isdir(folder) else names:
                if name.partition(".")[0] in names or name.endswith((".dist-info", ".egg-info")):
                    raise TurnError("agent_error", f"{name} may be a package's and is the agent's")
        return loaded


class _Asked:
    """Notes what is looked for, because what was not found may be among the agent's files."""

    def __init__(self) -> None:
        self.names = set()

    def find_spec(self, name: str, path=None, _target=None) -> None:
        if path is None:
            self.names.add(name)


def _searched_folders(image_dir: str) -> set:
    """Of the agent's files, what else modules are found in."""
    paths = {os.path.realpath(path) for path in sys.path}
    own = {path for path in paths if os.path.exists(path) and os.path.commonpath([path, image_dir]) == image_dir}
    dependencies = os.path.join(image_dir, ".deps")
    return {path for path in own if os.path.commonpath([path, dependencies]) != dependencies}
