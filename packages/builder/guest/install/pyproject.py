"""Installs the dependencies of pyproject.toml. Runs inside a build sandbox, in the bundle's root; argv: pip's."""

import runpy
import sys

try:
    import tomllib
except ModuleNotFoundError:
    from pip._vendor import tomli as tomllib

with open("pyproject.toml", "rb") as file:
    dependencies = tomllib.load(file).get("project", {}).get("dependencies", [])
if dependencies:
    sys.argv = ["pip", *sys.argv[1:], "--", *dependencies]
    runpy.run_module("pip", run_name="__main__")
