"""Which framework wrote a run, by the names of its scalars: data, and one function of names.

The advice and the lines of code that a person is shown then fit what they train with.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

from tb_convergence.core.scalar_tags import Framework

SIGNS: Final[tuple[tuple[Framework, str], ...]] = (
    ("keras", r"evaluation_\w+_vs_iterations|epoch_learning_rate"),
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


_KERAS_FOLDER: Final = re.compile(r"(.*[/\\])?(train|validation)")
_KERAS_TAG: Final = re.compile(r"(epoch|batch)_\w+")


def framework_of(listed: Mapping[str, Iterable[str]]) -> Framework:
    """The framework that wrote the scalars `listed` (run -> tags); "" if it is unknown.

    Keras names its scalars "epoch_..." and its folders "train" and "validation"; either alone may
    be anybody's.

    >>> framework_of({"": ["train/loss", "train/grad_norm"]}), framework_of({"r": ["lr-Adam"]})
    ('huggingface', 'lightning')
    >>> framework_of({"a/train": ["epoch_loss"]}), framework_of({"a": ["epoch_loss"]})
    ('keras', '')
    """
    tags = {run: [tag for tag in some if len(tag) <= 200] for run, some in listed.items()}
    for run, some in tags.items():
        if _KERAS_FOLDER.fullmatch(run) and any(map(_KERAS_TAG.fullmatch, some)):
            return "keras"
    named = [tag for some in tags.values() for tag in some]
    return next((name for name, sign in _SIGNS if any(map(sign.fullmatch, named))), "")
