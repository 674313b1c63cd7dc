"""Provides the built page: the bundle in the source tree if it is current, else a new one.

A bundle is current when it was built from exactly the sources in `frontend/`; a digest of both lies
beside it. A source archive holds the bundle, the sources and the digest, so building a wheel from
it needs neither Node.js nor the network; in a checkout a stale bundle is never packaged.

    python tools/bundle.py            build in place if needed: tb_convergence/serving/static/
    python tools/bundle.py run ...    run `npm ...` or `node ...` in frontend/
    python tools/bundle.py needs      print what to install with pip first; nothing if all is there
"""

from __future__ import annotations

import hashlib
import shutil
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from toolchain import WHEEL, ToolchainError, find, is_available

ROOT = Path(__file__).resolve().parent.parent
FRONTEND = ROOT / "frontend"
STATIC = Path("tb_convergence", "serving", "static")
"""Where the bundle lies, relative to the root of the sources and of a wheel."""

DIGEST = ".sources"
"""File beside the bundle: digest of it and of its sources. Not installed."""

NPM_OPTIONS = ("--ignore-scripts", "--no-audit", "--no-fund")
"""No package that we use has to run code while it is installed."""

NOT_SOURCES = frozenset({"test", "tests", "coverage"})
"""Folders of `frontend/` that do not influence the bundle."""


def provide(destination: Path, with_digest: bool = False) -> list[Path]:
    """Put the bundle into the folder `destination`, replacing what is there.

    Args:
        destination: any folder; may be the one in the source tree.
        with_digest: also write the digest, so that the bundle can be recognized as current.

    Returns:
        The files of the bundle, without the digest.

    Raises:
        ToolchainError: it has to be built and cannot be.
    """
    here = ROOT / STATIC
    if is_current():
        if destination.resolve() != here.resolve():
            _replace(here, destination)
    else:
        with tempfile.TemporaryDirectory(prefix="tb-convergence-") as folder:
            _replace(_build(Path(folder)), destination)
    if with_digest:
        (destination / DIGEST).write_text(digest(destination) + "\n", encoding="ascii")
    else:
        (destination / DIGEST).unlink(missing_ok=True)
    return [destination / path for path in _files(destination)]


def is_current() -> bool:
    """Whether the bundle in the source tree was built from the sources beside it."""
    mark = ROOT / STATIC / DIGEST
    return mark.is_file() and mark.read_text(encoding="ascii").strip() == digest(mark.parent)


def sources() -> list[Path]:
    """The files the bundle is made from, relative to `frontend/`, sorted."""
    return [path for path in _files(FRONTEND) if NOT_SOURCES.isdisjoint(path.parts)]


def digest(bundle: Path) -> str:
    """SHA-256 over names and contents of the sources and of the files in the folder `bundle`."""
    total = hashlib.sha256()
    for folder, paths in ((FRONTEND, sources()), (bundle, _files(bundle))):
        for path in paths:
            content = (folder / path).read_bytes()
            total.update(f"{path.as_posix()}\0{len(content)}\0".encode())
            total.update(content)
    return total.hexdigest()


def _files(folder: Path) -> list[Path]:
    """Files below `folder`, relative to it, sorted; no hidden ones, nothing npm installed."""
    found = []
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if path.name.startswith(".") or path.name == "node_modules":
            continue
        below = _files(path) if path.is_dir() else [Path()]
        found += [path.name / inner for inner in below]
    return found


def _build(folder: Path) -> Path:
    """Build in a copy below `folder`, so that the source tree stays as it is."""
    if not (FRONTEND / "package.json").is_file():
        raise ToolchainError(f"no sources of the page in {FRONTEND}: the checkout is incomplete")
    toolchain = find()
    copy = folder / "frontend"
    for path in sources():
        target = copy / path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(FRONTEND / path, target)
    built = folder / STATIC
    built.mkdir(parents=True)
    # The package's version and license may go into the bundle.
    shutil.copyfile(ROOT / "LICENSE", folder / "LICENSE")
    shutil.copyfile(ROOT / "tb_convergence/__init__.py", folder / "tb_convergence/__init__.py")
    try:
        toolchain.run(("npm", "ci", "--omit=dev", *NPM_OPTIONS), copy)
        toolchain.run(("node", "build.mjs"), copy)
    except ToolchainError as error:
        raise ToolchainError(
            f"the page of the Convergence tab could not be built: {error}. The output above says "
            "why; `npm ci` needs the npm registry. A released wheel or source archive holds the "
            "built page and needs neither Node.js nor npm."
        ) from error
    if not any(built.iterdir()):
        raise ToolchainError(f"build.mjs wrote nothing to {STATIC.as_posix()}")
    return built


def _replace(source: Path, destination: Path) -> None:
    shutil.rmtree(destination, ignore_errors=True)
    shutil.copytree(source, destination)


def main(arguments: list[str]) -> int:
    """Command line; see the module docstring."""
    try:
        if arguments[:1] == ["run"]:
            find().run(arguments[1:], FRONTEND)
        elif arguments == ["needs"]:
            sys.stdout.write("" if is_available() else f"{WHEEL}\n")
        else:
            provide(ROOT / STATIC, with_digest=True)
    except ToolchainError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
