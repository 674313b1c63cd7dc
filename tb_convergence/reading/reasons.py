"""Why data was refused, in words short and plain enough to show.

Reasons quote what was found in untrusted files, so they are one line and bounded in length, and a
series in which everything is bad does not produce one entry per point.
"""

from __future__ import annotations

from collections import Counter
from typing import Final

from tb_convergence.core.gaps import Skipped

MAX_REASON: Final = 300
MAX_POINTS_PER_TAG: Final = 20


def reason_of(error: Exception | str) -> str:
    """One line of at most `MAX_REASON` characters.

    >>> reason_of(ValueError("not\\n  a tensor"))
    'not a tensor'
    """
    details = getattr(error, "details", None)
    text = details() if callable(details) else None
    text = " ".join(str(text or error).split()) or type(error).__name__
    return text if len(text) <= MAX_REASON else text[: MAX_REASON - 1] + "…"


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
            self._into.append(Skipped(self._tag, None, f"{more} further points refused likewise"))
