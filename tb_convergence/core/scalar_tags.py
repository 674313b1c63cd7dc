"""The role of each scalar tag of a run, and the tags whose role is ambiguous.

The reader fills this in; the objective, the terminal and the page's picker use it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Role = Literal[
    "loss",
    "epoch_loss",
    "validation_loss",
    "learning_rate",
    "gradient_norm",
    "metric",
    "reward",
    "agent_loss",
    "generator_loss",
    "discriminator_loss",
    "curriculum",
    "other",
]
"""What a scalar is. "agent_loss": one loss of a reinforcement learner, such as its value loss;
"other": a counter, a timer or a setting, which says nothing about convergence."""

Use = Literal["read", "part", "told", "spare", "asked"]
"""What became of a scalar.

"read": its series is in the history. "part": it is one term of a loss that is read as a sum.
"told": read because a person named it. "spare": recognized, and a better one was read in its place.
"asked": it may be a loss, and its name does not say which.
"""

Framework = Literal["keras", "lightning", "huggingface", "yolo", "stable-baselines3", "tf1", ""]
"""What seems to have written a run; "" if nothing tells."""

MOST_LISTED: Final = 200
"""Tags of one run that are listed; a person looks through no more."""


@dataclass(frozen=True, slots=True)
class ScalarTag:
    """One scalar tag of a run.

    Attributes:
        tag: as it was written.
        run: TensorBoard's run that holds it, such as "a/train".
        role: what it was taken for; None if nobody knows.
        use: what became of it.
        higher_is_better: of a metric or a reward; None if the name does not say.
    """

    tag: str
    run: str
    role: Role | None
    use: Use
    higher_is_better: bool | None = None


@dataclass(frozen=True, slots=True)
class EarlierTraining:
    """A training whose event files lie in the folder of a later one, which is judged in its place.

    Attributes:
        first_step, last_step: what it holds.
        began, ended: wall times in seconds since the epoch.
        tags: scalars it wrote, at most ten.
    """

    first_step: int
    last_step: int
    began: float
    ended: float
    tags: tuple[str, ...]
