"""Finds the browser the browser tests drive, and installs one where that is possible.

    python tools/browser.py      print its path; install Chromium with apt-get where there is none

TB_CONVERGENCE_BROWSER names another executable; "none" leaves the browser tests out on purpose.
Without it a missing browser is an error: tests that nobody sees skipped are worth nothing.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

VARIABLE = "TB_CONVERGENCE_BROWSER"
LEFT_OUT = "none"
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
WHAT_TO_DO = (
    "the browser tests need Chromium or Chrome, and none is on PATH. Install one "
    "(apt-get install chromium, dnf install chromium, brew install --cask chromium), "
    "or name one: make test BROWSER=/path/to/chrome. BROWSER=none leaves these tests out."
)


def find() -> str | None:
    """Path of the browser; None where there is none."""
    named = os.environ.get(VARIABLE)
    for name in (named,) if named else NAMES:
        path = shutil.which(name)
        if path is not None:
            return path
    return None


def left_out() -> bool:
    """Whether the browser tests are to be left out, on purpose."""
    return os.environ.get(VARIABLE) == LEFT_OUT


def install() -> None:
    """Install Chromium with apt-get, as root or with a sudo that asks for no password."""
    apt = shutil.which("apt-get")
    if apt is None or os.environ.get(VARIABLE):
        return
    sudo = shutil.which("sudo")
    if os.geteuid() == 0:
        prefix: list[str] = []
    elif sudo and subprocess.run([sudo, "-n", "true"], check=False).returncode == 0:  # noqa: S603
        prefix = [sudo, "-n"]
    else:
        return
    sys.stdout.write("Installing Chromium with apt-get ...\n")
    sys.stdout.flush()
    install_command = ["install", "--yes", "--quiet", "--no-install-recommends", "chromium"]
    for arguments in (["update", "--quiet"], install_command):
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        subprocess.run(  # noqa: S603 - our own command
            [*prefix, apt, *arguments], check=False, env=environment, stdout=subprocess.DEVNULL
        )


def main() -> int:
    """Command line; see the module docstring."""
    if left_out():
        sys.stdout.write("The browser tests are left out, as asked.\n")
        return 0
    if find() is None:
        install()
    path = find()
    if path is None:
        sys.stderr.write(f"error: {WHAT_TO_DO}\n")
        return 1
    sys.stdout.write(f"Browser: {path}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
