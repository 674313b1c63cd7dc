"""Runs every check of the project, each to its end, and says which failed.

    python tools/check.py                      all of them
    python tools/check.py ruff mypy            some of them
    python tools/check.py pytest -- -k rules   what follows -- is for pytest
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUNDLE = ("tools/bundle.py", "run", "npm")

CHECKS: dict[str, tuple[str, ...]] = {
    "ruff": ("-m", "ruff", "check", "."),
    "mypy": ("-m", "mypy"),
    "frontend-check": (*BUNDLE, "run", "check"),
    "frontend-test": (*BUNDLE, "test"),
    "pytest": ("-m", "pytest", "-n", "2", "--dist", "loadgroup"),
}
"""Arguments of this interpreter. pytest comes last, so that its summary is seen."""


def main(arguments: list[str]) -> int:
    """Command line; see the module docstring. Returns 1 when a check failed, 2 for a bad name."""
    split = arguments.index("--") if "--" in arguments else len(arguments)
    chosen, for_pytest = arguments[:split], arguments[split + 1 :]
    unknown = [name for name in chosen if name not in CHECKS]
    if unknown:
        sys.stderr.write(f"error: unknown check {unknown[0]!r}; there are {', '.join(CHECKS)}\n")
        return 2
    results = []
    for name in chosen or CHECKS:
        command = [sys.executable, *CHECKS[name], *(for_pytest if name == "pytest" else ())]
        sys.stdout.write(f"\n==> {name}\n")
        sys.stdout.flush()
        start = time.monotonic()
        status = subprocess.run(command, cwd=ROOT, check=False).returncode  # noqa: S603 - our own
        results.append((name, status == 0, time.monotonic() - start))
    sys.stdout.write("\n")
    for name, passed, seconds in results:
        sys.stdout.write(f"  {'ok    ' if passed else 'FAILED'}  {name:<16}{seconds:6.1f} s\n")
    return 0 if all(passed for _, passed, _ in results) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
