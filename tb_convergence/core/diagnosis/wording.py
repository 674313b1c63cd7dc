"""Words that several summaries need."""

from __future__ import annotations


def counted(number: int, thing: str) -> str:
    """A number and its thing, in the plural where it needs one.

    >>> counted(1, "more layer"), counted(3, "more layer")
    ('1 more layer', '3 more layers')
    """
    return f"{number} {thing}" + ("s" if number != 1 else "")
