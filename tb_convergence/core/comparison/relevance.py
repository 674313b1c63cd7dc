"""Which of the settings that differ between two runs matters most: by its effect on the findings.

A setting that a finding of only one of the runs is about comes first, in the order of the
findings; then what decides a training in general, the learning rate before the optimizer's small
constants. The alphabet decides nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from tb_convergence.core.comparison.settings import Setting

ARCHITECTURE: Final = ("layers that differ", "model.layers", ".class", ".units", ".filters")
RATE: Final = ("optimizer.learning_rate", "optimizer.class", "optimizer.momentum")
_CLIPPING: Final = ("clip", "optimizer.learning_rate")
_INITIALIZERS: Final = ("initializer",)
_PENALTIES: Final = ("regularizer", "weight_decay", ".rate", "dropout")
_LOSS: Final = ("loss",)

ABOUT: Final[Mapping[str, tuple[str, ...]]] = {
    "learning-rate-too-high": RATE,
    "learning-rate-too-low": RATE,
    "loss-divergence": RATE,
    "loss-oscillation": (*RATE, "batch_size"),
    "loss-spike": (*RATE, "clip", "batch_size"),
    "non-finite-values": (*RATE, "clip", "dtype"),
    "exploding-gradient": ("clip", *RATE, *_INITIALIZERS),
    "update-ratio-out-of-range": (*RATE, "clip"),
    "clipping-hides-learning-rate": _CLIPPING,
    "optimizer-mismatch": ("optimizer.class", *RATE),
    "loss-not-decreasing": (*RATE, *ARCHITECTURE, "activation"),
    "underfitting": (*RATE, *ARCHITECTURE, *_PENALTIES),
    "insufficient-capacity": ARCHITECTURE,
    "too-deep-without-skip": ARCHITECTURE,
    "vanishing-gradient": ("activation", *ARCHITECTURE, *_INITIALIZERS),
    "zero-gradient": ("activation", *ARCHITECTURE, *_INITIALIZERS),
    "wrong-hidden-activation": ("activation", *ARCHITECTURE),
    "wrong-output-activation": ("activation", *_LOSS),
    "constant-output": ("activation", *_LOSS, *ARCHITECTURE),
    "dead-relu": ("activation", *_INITIALIZERS, *RATE),
    "saturated-activation": ("activation", *_INITIALIZERS, *RATE),
    "poor-initialization": _INITIALIZERS,
    "batch-norm-masks-gradients": ARCHITECTURE,
    "over-regularization": _PENALTIES,
    "overfitting": (*_PENALTIES, *ARCHITECTURE, "epochs"),
    "wrong-loss": _LOSS,
    "constant-loss": _LOSS,
    "unnormalized-input": ARCHITECTURE,
    "frozen-variable": ("trainable",),
    "nothing-trainable": ("trainable",),
    "never-updated": ("trainable", "optimizer.class"),
    "too-few-steps": ("epochs", "steps_per_epoch", *RATE),
}
"""Rule id -> parts of the paths of settings that its finding is about, the first one first.

A rule that is about the data is about no setting, and is not here."""

GENERAL: Final = (
    "optimizer.learning_rate", "optimizer.class", "loss.name", "layers that differ", "activation",
    "model.layers", "initializer", "batch_size", "dropout", ".rate", "regularizer", "weight_decay",
    "clip", "momentum", "dtype", ".units", ".filters", "trainable", "epochs",
)
"""What decides a training when no finding tells the runs apart, the most decisive first."""


def by_relevance(settings: Iterable[Setting], findings: Sequence[str]) -> tuple[Setting, ...]:
    """`settings`, those that matter most first.

    Args:
        settings: in any order; equally relevant ones keep it.
        findings: ids of findings that only one of the runs has, the most severe first.

    >>> found = [Setting("epochs", "1", "2"), Setting("optimizer.learning_rate", "1", "0.1")]
    >>> [one.name for one in by_relevance(found, ["overfitting"])]
    ['epochs', 'optimizer.learning_rate']
    >>> [one.name for one in by_relevance(found, [])]
    ['optimizer.learning_rate', 'epochs']
    """
    named = [part for id_ in findings for part in ABOUT.get(id_, ())]
    order = [*dict.fromkeys(named), *GENERAL]

    def place(setting: Setting) -> int:
        return next((at for at, part in enumerate(order) if part in setting.name), len(order))

    return tuple(sorted(settings, key=place))
