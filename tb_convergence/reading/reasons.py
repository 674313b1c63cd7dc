"""The reasons why data was refused, short enough to show.

Reasons quote what was found in untrusted files, so they are one line and bounded in length, and a
series in which everything is bad does not produce one entry per point.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Final

from tb_convergence.core.gaps import Skipped

MAX_REASON: Final = 300
MAX_POINTS_PER_TAG: Final = 20
MAX_NAME: Final = 200
"""Characters of a tag in an entry."""
MAX_TAGS_PER_REASON: Final = 20
MAX_ENTRIES: Final = 400
"""Entries of one run; more are of a file made to fill a report."""


def reason_of(error: Exception | str) -> str:
    """One line of at most `MAX_REASON` characters.

    >>> reason_of(ValueError("not\\n  a tensor"))
    'not a tensor'
    """
    details = getattr(error, "details", None)
    text = details() if callable(details) else None
    text = " ".join(str(text or error).split()) or type(error).__name__
    return text if len(text) <= MAX_REASON else text[: MAX_REASON - 1] + "…"


def shortened(name: str) -> str:
    """A name from a file; the middle is left out if it is longer than `MAX_NAME`.

    >>> len(shortened("x" * 10_000))
    200
    """
    if len(name) <= MAX_NAME:
        return name
    head = MAX_NAME // 2
    return f"{name[:head]}…{name[len(name) - (MAX_NAME - head - 1) :]}"


def summed(skipped: Iterable[Skipped]) -> tuple[Skipped, ...]:
    """`skipped` with names of bounded length, and with one entry for many tags of one reason.

    A file can hold thousands of tags that are all wrong in the same way.
    """
    found: list[Skipped] = []
    places: dict[str, int] = {}
    tags: Counter[str] = Counter()
    for one in skipped:
        entry = Skipped(shortened(one.tag), one.step, one.reason)
        if one.tag and one.step is None:
            tags[one.reason] += 1
            if tags[one.reason] > MAX_TAGS_PER_REASON:
                continue
            places[one.reason] = len(found)
        found.append(entry)
    for reason, place in places.items():
        more = tags[reason] - MAX_TAGS_PER_REASON
        if more > 0:
            last = found[place]
            found[place] = Skipped(last.tag, None, f"{reason} ({more:,} more tags have the same "
                                                   "problem)")
    return tuple(found[:MAX_ENTRIES])


class SkippedPoints:
    """Collects refused points of one tag: the first few singly, then one entry with the count."""

    def __init__(self, tag: str, into: list[Skipped]) -> None:
        self._tag = tag
        self._into = into
        self._counts: Counter[str] = Counter()
        self._seen = 0

    def add(self, step: int, reason: str) -> None:
        """Refuse the point at `step`."""
        self._seen += 1
        if self._seen <= MAX_POINTS_PER_TAG:
            self._into.append(Skipped(self._tag, step, reason_of(reason)))

    def close(self) -> None:
        """Add the entry for the points beyond the first few, if there were any."""
        more = self._seen - MAX_POINTS_PER_TAG
        if more > 0:
            self._into.append(Skipped(self._tag, None, f"{more} further points have the same "
                                                       "problem"))
