"""Installs a Poetry project's dependencies in the versions of its lock. Runs inside a build sandbox; argv: pip's.

Poetry itself is not needed: pip resolves the project's main dependencies with the lock's versions as constraints, so
that development groups are left out and pip handles markers of other platforms.
"""

import os
import runpy
import sys
import tempfile

try:
    import tomllib
except ModuleNotFoundError:
    from pip._vendor import tomli as tomllib


def load(name):
    with open(name, "rb") as file:
        return tomllib.load(file)


def requirement(name, wanted):
    """Returns a requirement without a version, which the lock decides; None for what is not installed."""
    if isinstance(wanted, list):
        sys.exit(f"pyproject.toml: {name} has several forms at once; export the dependencies to requirements.txt")
    if isinstance(wanted, str):
        return name
    if wanted.get("optional"):
        return None
    if {"git", "path", "url"} & set(wanted):
        sys.exit(f"pyproject.toml: {name} comes from git, a path or a URL; list it in requirements.txt instead")
    extras = f"[{','.join(wanted['extras'])}]" if wanted.get("extras") else ""
    marker = f" ; {wanted['markers']}" if wanted.get("markers") else ""
    return f"{name}{extras}{marker}"


def main():
    project = load("pyproject.toml")
    listed = project.get("project", {}).get("dependencies")
    if listed is None:
        table = project.get("tool", {}).get("poetry", {}).get("dependencies", {})
        found = [requirement(name, wanted) for name, wanted in table.items() if name.lower() != "python"]
        listed = [one for one in found if one is not None]
    if not listed:
        return
    versions = {}
    for package in load("poetry.lock").get("package", []):
        versions.setdefault(package["name"], set()).add(package["version"])
    # For a package with several versions per platform, the lock's markers would decide. Here pip decides instead.
    pinned = [f"{name}=={found.pop()}" for name, found in sorted(versions.items()) if len(found) == 1]
    with tempfile.NamedTemporaryFile("w", suffix=".txt", delete=False) as constraints:
        constraints.write("\n".join(pinned))
    sys.argv = ["pip", *sys.argv[1:], "--constraint", constraints.name, "--", *listed]
    try:
        runpy.run_module("pip", run_name="__main__")
    finally:
        os.unlink(constraints.name)


main()
