"""Which framework wrote a run, by the names of its scalars: data, and one function of names.

The advice and the lines of code that a person is shown then fit what they train with.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from tb_convergence.core.scalar_tags import Framework

SIGNS: Final[tuple[tuple[Framework, str], ...]] = (
    ("keras", r"(epoch|batch)_\w+|evaluation_\w+_vs_iterations"),
    ("stable-baselines3", r"rollout/ep_(rew|len)_mean|time/total_timesteps"),
    ("yolo", r"x/lr\d|lr/pg\d|metrics/(mAP|precision|recall).*|(train|val)/(box|dfl|obj)_loss"),
    (
        "huggingface",
        r"train/(grad_norm|epoch|total_flos|train_runtime|learning_rate)"
        r"|eval/(runtime|samples_per_second|steps_per_second|loss)|eval_\w+/loss",
    ),
    ("lightning", r"lr-[A-Z]\w*(/pg\d)?|hp_metric|\w+_(step|epoch)"),
    (
        "tf1",
        r"global_step/sec|(loss|learning_rate|total_loss|cross_entropy)_\d"
        r"|Loss/(total_loss|RPNLoss/.*|BoxClassifierLoss/.*)|losses/(total_loss|clone_loss.*)"
        r"|loss/loss(/loss)?",
    ),
)
"""Framework, tags that only it writes; the first that fits decides."""

_SIGNS: Final = tuple((name, re.compile(pattern)) for name, pattern in SIGNS)


def framework_of(tags: Iterable[str]) -> Framework:
    """The framework that wrote the scalars `tags`; "" where none of them is its own.

    >>> framework_of(["train/loss", "train/grad_norm"]), framework_of(["lr-Adam"])
    ('huggingface', 'lightning')
    >>> framework_of(["Loss/train"])
    ''
    """
    named = [tag for tag in tags if len(tag) <= 200]
    return next((name for name, sign in _SIGNS if any(map(sign.fullmatch, named))), "")
