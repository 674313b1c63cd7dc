"""What a verdict on a run is: a state, how much it rests on, and the reason in one sentence.

`judgement` decides it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

State = Literal["sick", "nothing-found", "not-decided", "too-early"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is to be thought of a run as a whole.

    Attributes:
        state: "sick" where a finding needs action; "nothing-found" where the loss fell, validation
            or gradients were judged and no check objects; "too-early" where more records of the
            same kind would decide; else "not-decided".
        decided: checks that could be decided.
        applicable: checks that this run could be held against.
        why: the reason, in one sentence.
    """

    state: State
    decided: int
    applicable: int
    why: str


UNKNOWN: Final = Verdict("not-decided", 0, 0, "Nothing could be read.")


def verdict_json(verdict: Verdict) -> dict[str, str | int]:
    """A verdict as `diagnose --format json` and HTTP give it."""
    return {
        "state": verdict.state,
        "decided": verdict.decided,
        "applicable": verdict.applicable,
        "why": verdict.why,
    }
