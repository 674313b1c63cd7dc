"""Tries the plugin with old versions of TensorBoard, each in an environment of its own.

    python tools/tensorboard_versions.py                  the oldest, one between, and the newest
    python tools/tensorboard_versions.py 2.16.2 2.19.0    others
    python tools/tensorboard_versions.py --keep DIR       keep the environments, and use them again

For each version: install it and the built wheel, write logs, diagnose them on the command line, and
serve them with both loaders. pyproject.toml requires the oldest version that passes; the whole test
suite runs on the newest. TensorBoard 2.20 and older import `pkg_resources`, which setuptools 81
removed, so they need an older setuptools beside them. Before 2.17 they use names that NumPy 2
removed.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
SMOKE: Final = Path(__file__).with_name("tensorboard_smoke.py")
VERSIONS: Final = ("2.15.2", "2.18.0", "2.21.0")
SECONDS: Final = 900


def beside(version: str) -> list[str]:
    """Requirements that this version of TensorBoard has and does not state."""
    minor = tuple(int(part) for part in version.split(".")[:2])
    old_numpy = ["numpy<2"] if minor < (2, 17) else []
    return [*old_numpy, *(["setuptools<81"] if minor < (2, 21) else [])]


def run(*command: str, where: Path) -> None:
    """Run a command, away from the source tree so that the installed package is used.

    Raises:
        subprocess.CalledProcessError: it failed.
    """
    outside = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    subprocess.run(  # noqa: S603 - our own commands
        command, cwd=where, env=outside, check=True, timeout=SECONDS
    )


def built_wheel(folder: Path) -> Path:
    """The package as a wheel in `folder`, as `make dist` builds it."""
    run(sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check", "--no-deps",
        "--wheel-dir", str(folder), str(ROOT), where=folder)
    (wheel,) = folder.glob("tensorboard_plugin_convergence-*.whl")
    return wheel


def tried(version: str, wheel: Path, folder: Path) -> None:
    """Install and try one version in `folder`.

    Raises:
        subprocess.CalledProcessError: it cannot be installed, or does not work.
    """
    python = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
    if not python.exists():
        run(sys.executable, "-m", "venv", str(folder), where=folder.parent)
    run(str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
        f"tensorboard=={version}", *beside(version), str(wheel), where=folder)
    run(str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps",
        "--force-reinstall", str(wheel), where=folder)
    run(str(python), "-W", "ignore", str(SMOKE), version, where=folder)


def main() -> int:
    """Try every version; the status is 1 where one fails."""
    parser = argparse.ArgumentParser(description="Try the plugin with versions of TensorBoard.")
    parser.add_argument("versions", nargs="*", default=VERSIONS, metavar="VERSION")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="where the environments stay")
    given = parser.parse_args()
    failed = []
    with tempfile.TemporaryDirectory() as folder:
        kept = (given.keep or Path(folder) / "environments").resolve()
        kept.mkdir(parents=True, exist_ok=True)
        wheel = built_wheel(Path(folder))
        for version in given.versions:
            sys.stdout.write(f"tensorboard {version} ...\n")
            sys.stdout.flush()
            try:
                tried(version, wheel, kept / version)
            except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
                failed.append(version)
                sys.stdout.write(f"tensorboard {version} FAILED: {error}\n")
    sys.stdout.write(f"{len(given.versions) - len(failed)} of {len(given.versions)} pass\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
