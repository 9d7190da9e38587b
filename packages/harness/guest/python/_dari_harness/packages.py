# Loads packages ahead of the agent whose first imports they are: its check is then one of its own code.

import os
import sys

from .entrypoint import own_folders, set_search_path
from .errors import TurnError


class Ahead:
    """What was loaded, for an agent that may turn out to have modules of the same names."""

    def __init__(self, frame: dict, image_dir: str) -> None:
        known, path = set(sys.modules), list(sys.path)
        set_search_path(image_dir, image_dir, image_dir)
        for module, names in frame["imports"]:
            __import__(module, {}, None, names)
        # The agent's own folders come first, and are not there yet.
        sys.path[:] = path
        self._names = {name.partition(".")[0] for name in set(sys.modules) - known}

    def expect_fit(self, frame: dict, image_dir: str) -> None:
        """Raises where a file of the agent would have been loaded in place of a package."""
        for folder in own_folders(frame["entry"], image_dir):
            for name in self._names.intersection(name.partition(".")[0] for name in os.listdir(folder)):
                raise TurnError("agent_error", f"{name} is the name of a package and of a file of the agent")
