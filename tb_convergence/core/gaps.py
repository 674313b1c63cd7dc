"""What is missing from a run's history, and why: refused, not understood, or dropped."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Skipped:
    """Data that was refused, and why. `step` is None if the whole tag was refused."""

    tag: str
    step: int | None
    reason: str


WhyUnclear = Literal["user", "either", "both", "operation", "unknown"]


@dataclass(frozen=True, slots=True)
class TagFamily:
    """Histograms with names of one form, and what the user said they are.

    Attributes:
        pattern: their form, such as "dW/{v}"; an answer is a role and this pattern.
        why: "user": the user said what they are. Else they are not read, because their names say
            "either": nothing but a variable's name, so it may be the variable or its gradient;
            "both": that they are gradients and that they are variables; "operation": that they
            are TensorFlow's gradients of operations, of which variables they do not say;
            "unknown": nothing of the kind.
        role: what they were said to be; None if nobody has.
        count: number of tags; 0 where a pattern fits none.
        examples: the first few of them.
    """

    pattern: str
    why: WhyUnclear
    role: Literal["gradient", "variable", "neither"] | None
    count: int
    examples: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Sampled:
    """TensorBoard kept only some of the records.

    Attributes:
        kept: records that can be read.
        total: records that were written: at least so many, or about so many where not `exact`.
        exact: whether the records themselves say how many they were. Ordinary summaries do not;
            they are taken to have been written evenly, at the smallest distance seen.
    """

    kept: int
    total: int
    exact: bool = True
