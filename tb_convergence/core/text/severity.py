"""Words and signs of severities and of verdicts, the same in terminal, page, and JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

SEVERITY_MARKS: Final[Mapping[str, str]] = {"critical": "✖", "warning": "▲", "info": "●"}

VERDICT_MARKS: Final[Mapping[str, str]] = {
    "sick": "✖", "nothing-found": "✔", "not-decided": "?", "too-early": "…",
}

VERDICT_WORDS: Final[Mapping[str, str]] = {
    "sick": "sick",
    "nothing-found": "nothing found",
    "not-decided": "not decided",
    "too-early": "too early",
}
"""State of a verdict -> what a person reads."""
