"""Installs uv.lock's packages and checks their hashes. Runs in a build sandbox, in the bundle's root; argv: the target.

uv comes from the package index like everything else, into the sandbox's own home, unless this machine provides one.
"""

import os
import shutil
import subprocess
import sys

UV = "uv==0.13.9"


def find_uv():
    found = shutil.which("uv")
    if found is not None:
        return found
    target = os.path.join(os.environ["HOME"], "uv")
    pip = [sys.executable, "-I", "-m", "pip", "install", "--quiet", "--no-compile", "--target", target, UV]
    subprocess.run(pip, check=True)
    return os.path.join(target, "bin", "uv")


def environment():
    """Translates pip's settings for uv."""
    given = os.environ
    named = {"UV_DEFAULT_INDEX": given.get("PIP_INDEX_URL"), "UV_INDEX": given.get("PIP_EXTRA_INDEX_URL")}
    chosen = {name: value for name, value in named.items() if value}
    certificates = given.get("SSL_CERT_FILE") or given.get("PIP_CERT") or given.get("REQUESTS_CA_BUNDLE")
    if certificates:
        chosen["SSL_CERT_FILE"] = certificates
    # The cache and the target are on different mounts, and the interpreter is already chosen.
    return {**given, **chosen, "UV_LINK_MODE": "copy", "UV_PYTHON_DOWNLOADS": "never", "UV_NO_PROGRESS": "1"}


def main():
    target = sys.argv[1]
    uv, env = find_uv(), environment()
    requirements = os.path.join(os.environ["HOME"], "requirements.txt")
    export = ["export", "--frozen", "--no-dev", "--no-emit-project", "--quiet", "--python", sys.executable]
    subprocess.run([uv, *export, "--output-file", requirements], env=env, check=True)
    install = ["pip", "install", "--target", target, "--python", sys.executable, "--requirements", requirements]
    subprocess.run([uv, *install], env=env, check=True)


try:
    main()
except subprocess.CalledProcessError as error:
    sys.exit(error.returncode)
