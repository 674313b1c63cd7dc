"""Selects runs by a part of the name, or by the whole name with `*` for any text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches

from tb_convergence.reading.patterns import fits


def matches(name: str, pattern: str) -> bool:
    """Whether `pattern` means the run `name`, in time linear in both.

    Without `*` the pattern is a part of the name; with it the whole name, `*` standing for any
    text. Nothing else is special, so no pattern can be slow or wrong.

    >>> matches("sweep/lr-0.1", "lr-0"), matches("sweep/lr-0.1", "sweep/*.1"), matches("ab", "b*")
    (True, True, False)
    """
    if "*" not in pattern:
        return pattern in name
    return fits(name, pattern.split("*"))


def chosen(name: str, patterns: Sequence[str]) -> bool:
    """Whether one of `patterns` selects the run; without patterns, every run is selected."""
    return not patterns or any(matches(name, pattern) for pattern in patterns)


def did_you_mean(wanted: str, known: Iterable[str]) -> str:
    """A sentence that helps on: the names nearest to `wanted`, or a few that there are."""
    names = list(known)
    near = get_close_matches(wanted[:200], names, n=3, cutoff=0.5)
    if near:
        return f"did you mean {' or '.join(map(repr, near))}?"
    shown = ", ".join(map(repr, names[:5]))
    return f"there {'is' if len(names) == 1 else 'are'} {shown}" + (
        f" and {len(names) - 5} more" if len(names) > 5 else ""
    )
