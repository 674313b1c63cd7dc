"""Writes a report to the terminal, to a pipe whose reader may close it, or to a file."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Final

FOUND: Final = 3
"""Exit status of `--fail-on`: something is wrong with a run. 2 is bad usage, 1 lost data."""
USAGE: Final = 2
UNAVAILABLE: Final = 1


class OutputError(ValueError):
    """The report cannot be written to the requested file."""


def emit(text: str, path: str | None = None) -> None:
    """Write `text` to the file `path` as UTF-8, or to standard output in the encoding it has.

    A reader that goes away (head, less) is no error, and changes no exit status. What the terminal
    cannot show is written as its escape.

    Raises:
        OutputError: the file cannot be written.
    """
    if path is not None:
        try:
            Path(path).write_text(text, encoding="utf-8")
        except OSError as error:
            raise OutputError(f"cannot write {path!r}: {error.strerror}") from error
        return
    encoding = sys.stdout.encoding or "utf-8"
    try:
        sys.stdout.write(text.encode(encoding, "backslashreplace").decode(encoding))
        sys.stdout.flush()
    except BrokenPipeError:
        # Nothing may be written after it, not even by the interpreter when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def complain(message: str, status: int) -> int:
    """One line on standard error. Returns `status`, for the command to end with."""
    sys.stderr.write(f"tb-convergence: {message}\n")
    return status


def emit_error(text: str) -> None:
    """Print the error output of another program unchanged."""
    sys.stderr.write(text)


def colored() -> bool:
    """Whether standard output is a terminal whose user has not asked for no color."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR")
