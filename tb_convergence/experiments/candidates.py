"""The changes that the doctor tries, in order: first those that findings and data suggest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import tensorflow as tf

from tb_convergence.core.diagnosis import Finding
from tb_convergence.core.text.numbers import number
from tb_convergence.experiments.changes import BY_ID, Change, scale_of, suitable_output
from tb_convergence.experiments.changes import learning_rate as at_rate
from tb_convergence.experiments.session import Subject

ALWAYS: Final = (
    "suitable-output", "standardised-inputs", "leaky-relu", "he-normal", "glorot-uniform",
    "without-dropout", "without-penalties", "standardised-targets", "relu", "averaged-loss",
    "without-clipping", "without-batch-norm", "shuffled-batches",
)
"""Tried where findings lead nowhere, in this order: the most frequent faults of published programs
first (data and output, then activation and initial weights, then regularization)."""

EFFECTS: Final = {
    # ReLU instead of a sigmoid needs other initial weights as well: He et al. 2015 (1502.01852).
    "wrong-hidden-activation": ("he-normal",),
    "vanishing-gradient": ("relu", "he-normal", "glorot-uniform"),
    "exploding-gradient": ("he-normal", "glorot-uniform", "standardised-inputs"),
    "zero-gradient": ("leaky-relu", "he-normal", "suitable-output"),
    "constant-output": ("suitable-output", "leaky-relu", "standardised-inputs"),
    "non-finite-values": ("standardised-inputs", "suitable-output"),
    "loss-divergence": ("standardised-inputs", "standardised-targets"),
    "underfitting": ("without-dropout", "without-penalties"),
    "update-ratio-out-of-range": ("standardised-inputs",),
    "saturated-activation": ("relu", "standardised-inputs", "he-normal"),
    "dead-relu": ("standardised-inputs",),
    "loss-not-decreasing": ("standardised-inputs", "suitable-output"),
}
"""Changes that a symptom speaks for beside those that address it by name."""

WIDE: Final = 10.0
"""Scales of inputs that differ by more, or lie so many deviations from 0: LeCun et al. 1998 ask
for a mean near 0 and equal variances."""


@dataclass(frozen=True)
class Candidate:
    """A change and what speaks for it.

    Attributes:
        change: which.
        because: ids of findings, or what the data show; () for one that is tried on general
            grounds.
        value: of a short training with it; None if it was not tried.
        not_tried: why not; "".
    """

    change: Change
    because: tuple[str, ...] = ()
    value: float | None = None
    not_tried: str = ""

    @property
    def suspected(self) -> bool:
        """Whether anything speaks for it."""
        return bool(self.because)


OWN_RATE: Final = "learning-rate"
"""Stands for the program's own optimizer at a rate that a range test has yet to suggest."""


def own_rate() -> Change:
    """The candidate that stands for the program's own optimizer at another rate."""
    return replace(at_rate(1.0), id=OWN_RATE, title="at another learning rate", settings={})


def ordered(found: Subject, findings: Sequence[Finding], rates: Sequence[Change]
            ) -> list[Candidate]:
    """All candidates: those that findings speak for in the order of the findings, then the rest."""
    because: dict[str, list[str]] = {}
    for finding in sorted(findings, key=weight):
        for change in [*rates, *BY_ID.values()]:
            named = finding.id in change.addresses
            if not change.control and (named or change.id in EFFECTS.get(finding.id, ())):
                because.setdefault(change.id, []).append(finding.id)
    for id_, why in _of_data(found).items():
        because.setdefault(id_, []).append(why)
    known = {change.id: change for change in [*rates, *(BY_ID[id_] for id_ in ALWAYS)]}
    known |= {id_: BY_ID[id_] for id_ in because if id_ in BY_ID and id_ not in _REPLACED}
    if found.task is not None:  # which output and loss that are is what a person needs to know
        activation, loss = suitable_output(found.task)
        known["suitable-output"] = replace(
            known["suitable-output"], settings={"activation": activation, "loss": loss})
    first = [id_ for id_ in because if id_ in known]
    rest = [id_ for id_ in known if id_ not in because]
    return [Candidate(known[id_], tuple(because.get(id_, ()))) for id_ in [*first, *rest]]


_REPLACED: Final = ("adam", "sgd", "adam-then-sgd", "elu", "warm-up", "cosine", "flat-rate",
                    "lecun-normal", "shuffled-labels")
"""Of these another candidate does the same: rates come from range tests."""
LATE: Final = frozenset({"overfitting"})
"""Findings that show late, as the changes do that address them: trials are as long as can be."""


def weight(finding: Finding) -> tuple[bool, float]:
    """Causes first, then the surest."""
    return finding.kind != "cause", -finding.confidence


def _of_data(found: Subject) -> dict[str, str]:
    """Changes that the data themselves speak for."""
    reasons: dict[str, str] = {}
    for array in tf.nest.flatten(found.sample.x):
        why = odd_scale(np.asarray(array))
        if why:
            reasons["standardised-inputs"] = why
    task = found.task
    if task is not None and task.kind == "values":
        why = odd_scale(np.asarray(tf.nest.flatten(found.sample.y)[0]))
        if why:
            reasons["standardised-targets"] = why.replace("inputs", "targets")
    return reasons


def odd_scale(array: Any) -> str:
    """What is odd about the scale of an array's columns; "" if nothing is."""
    scale = scale_of(array)
    if scale is None:
        return ""
    std, mean = np.atleast_1d(scale.std), np.abs(np.atleast_1d(scale.mean))
    if float(std.max()) > WIDE or float(mean.max()) > WIDE:
        return (f"inputs have means up to {number(mean.max())} and standard deviations up to "
                f"{number(std.max())}")
    varying = std[std > 0]
    # Against the median: columns that hardly vary, as the corners of images, do no harm.
    if varying.size > 1 and float(varying.max() / np.median(varying)) > WIDE:
        return ("the standard deviation of one input is "
                f"{number(varying.max() / np.median(varying))} times the median")
    return ""


def same_slot(change: Change, others: Sequence[Change]) -> bool:
    """Whether `change` and one of `others` exclude each other."""
    return any(change.slot == other.slot for other in others)
