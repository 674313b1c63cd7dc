"""The verdict on a run: a state, the number of checks behind it, and the reason.

`judgment` decides it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

State = Literal["sick", "nothing-found", "not-decided", "too-early"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """The judgment on a run as a whole.

    Attributes:
        state: "sick" if a finding needs action; "nothing-found" if the loss fell, validation or
            gradients were judged and no check objects; "too-early" if more records of the same
            kind would decide; otherwise "not-decided".
        decided: number of checks that could run.
        applicable: number of checks that apply to this run.
        why: the reason, in a sentence or two.
    """

    state: State
    decided: int
    applicable: int
    why: str


UNKNOWN: Final = Verdict("not-decided", 0, 0, "Nothing could be read.")


def verdict_json(verdict: Verdict) -> dict[str, str | int]:
    """A verdict as in `diagnose --format json` and in HTTP replies."""
    return {
        "state": verdict.state,
        "decided": verdict.decided,
        "applicable": verdict.applicable,
        "why": verdict.why,
    }
