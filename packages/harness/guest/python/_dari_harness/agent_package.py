# Lets agents import the package dari_agent without an installation: it is in no registry, and each agent gets the
# release of its platform. A package of this name that an agent has installed comes first.

import os
import sys

_NAME = "dari_agent"


class _Finder:
    def __init__(self, folder: str) -> None:
        self._folder = folder

    def find_spec(self, name: str, path=None, target=None):
        if name != _NAME:
            return None
        from importlib.util import spec_from_file_location

        folder = os.path.join(self._folder, _NAME)
        return spec_from_file_location(
            name, os.path.join(folder, "__init__.py"), submodule_search_locations=[folder]
        )


def provide_agent_package(folder: str) -> None:
    """`folder`: where the package is."""
    sys.meta_path.append(_Finder(folder))
