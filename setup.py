"""Builds the package; the metadata stand in pyproject.toml.

What setuptools alone cannot do: the page of the Convergence tab is JavaScript that is built from
`frontend/` while the package is built. `tools/bundle.py` does it; the commands here say when, and
where the result goes.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from setuptools import Command, setup
from setuptools.command.build import build
from setuptools.command.sdist import sdist
from setuptools.errors import ExecError

sys.path.insert(0, str(Path(__file__).resolve().parent / "tools"))

import bundle
from toolchain import ToolchainError


def provide(destination: Path, with_digest: bool) -> list[Path]:
    """`bundle.provide`, with an error that ends the build in one line instead of a traceback."""
    try:
        return bundle.provide(destination, with_digest)
    except ToolchainError as error:
        raise ExecError(str(error)) from None


class BuildPage(Command):
    """Sub-command of `build`: puts the page beside the modules."""

    description = "build the page of the Convergence tab"
    user_options: list[tuple[str, str | None, str]] = []  # noqa: RUF012 - setuptools' protocol

    build_lib: str | None
    editable_mode: bool

    def initialize_options(self) -> None:
        """Setuptools' protocol."""
        self.build_lib = None
        self.editable_mode = False

    def finalize_options(self) -> None:
        """Setuptools' protocol."""
        self.set_undefined_options("build_py", ("build_lib", "build_lib"))

    def run(self) -> None:
        """Into the wheel being built; for an editable install, into the source tree."""
        provide(self._static(), with_digest=self.editable_mode)

    def get_source_files(self) -> list[str]:
        """What a source archive needs to build the page again."""
        return [f"frontend/{path.as_posix()}" for path in bundle.sources()]

    def get_outputs(self) -> list[str]:
        """Files in the wheel that no module stands for."""
        return [str(path) for path in self._static().rglob("*") if path.is_file()]

    def get_output_mapping(self) -> dict[str, str]:
        """Nothing is a plain copy of a source file."""
        return {}

    def _static(self) -> Path:
        root = bundle.ROOT if self.editable_mode else Path(str(self.build_lib))
        return root / bundle.STATIC


class Build(build):
    """`build`, and the page."""

    sub_commands = [*build.sub_commands, ("build_page", None)]  # noqa: RUF012 - setuptools' protocol

    def run(self) -> None:
        """Build from nothing: a module deleted since the last build must not be packaged."""
        shutil.rmtree(self.build_lib, ignore_errors=True)
        super().run()


class SourceArchive(sdist):
    """`sdist`, with the built page and its digest: it is installed without Node.js."""

    def make_release_tree(self, base_dir: str, files: list[str]) -> None:
        """Add the page to the tree that is packed."""
        super().make_release_tree(base_dir, files)
        provide(Path(base_dir) / bundle.STATIC, with_digest=True)


setup(cmdclass={"build": Build, "build_page": BuildPage, "sdist": SourceArchive})
