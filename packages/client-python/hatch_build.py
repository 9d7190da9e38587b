"""Generates the blocking modules for the wheel and for editable installations, as pyproject.toml says."""

import re
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class BlockingModules(BuildHookInterface):
    """Writes each file of `blocking` from its asynchronous one, with the replacements made in order."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        package = Path(self.root, "src/dari_client")
        for source, target in self.config["files"].items():
            text = (package / source).read_text("utf-8")
            for pattern, replacement in self.config["replacements"]:
                text = re.sub(pattern, replacement, text, flags=re.MULTILINE)
            (package / target).write_text(text, "utf-8")
