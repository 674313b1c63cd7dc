"""What the tags of other people's scalar summaries mean: a table of what frameworks write.

Pure functions of names. What is not in the tables is not read: a component of a loss is no loss.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from tb_convergence.core.history import Axis


@dataclass(frozen=True, slots=True)
class ScalarMeaning:
    """What a scalar tag stands for; of two tags for one statistic the lower rank is read."""

    name: str
    axis: Axis
    rank: int


ScalarTags = tuple[tuple[str, str, Axis], ...]
"""(statistic, tag, axis), best first. Tags in lower case with "/" for every separator."""

TRAINING_SCALARS: Final[ScalarTags] = (
    ("loss", "batch/loss", "batch"),  # Keras, update_freq="batch"
    ("loss", "train/loss/step", "step"),  # Lightning, on_step
    ("loss", "loss/step", "step"),
    ("loss", "train/loss", "step"),  # Hugging Face
    ("loss", "loss/train", "step"),  # PyTorch's tutorials
    ("loss", "train/batch/loss", "step"),
    ("loss", "training/loss", "step"),
    ("loss", "loss/training", "step"),
    ("loss", "train/total/loss", "step"),
    ("loss", "losses/total/loss", "step"),  # TF-Slim
    ("loss", "loss/total/loss", "step"),  # TensorFlow Object Detection
    ("loss", "total/loss", "step"),
    ("loss", "loss", "step"),  # estimators and loops of one's own
    ("loss", "loss/1", "step"),  # estimators, where the name was taken
    ("epoch_loss", "epoch/loss", "epoch"),  # Keras
    ("epoch_loss", "train/loss/epoch", "step"),  # Lightning, on_epoch: counts steps
    ("epoch_loss", "loss/epoch", "step"),
    ("validation_loss", "epoch/val/loss", "epoch"),  # Keras with TensorFlow 1
    ("validation_loss", "val/loss/epoch", "step"),
    ("validation_loss", "val/loss", "step"),
    ("validation_loss", "loss/val", "step"),
    ("validation_loss", "valid/loss", "step"),
    ("validation_loss", "loss/valid", "step"),
    ("validation_loss", "validation/loss", "step"),
    ("validation_loss", "loss/validation", "step"),
    ("validation_loss", "eval/loss", "step"),  # Hugging Face
    ("validation_loss", "loss/eval", "step"),
    ("validation_loss", "test/loss", "step"),
    ("validation_loss", "loss/test", "step"),  # PyTorch's tutorials
    ("learning_rate", "train/learning/rate", "step"),  # Hugging Face
    ("learning_rate", "learning/rate", "step"),
    ("learning_rate", "train/lr", "step"),
    ("learning_rate", "lr", "step"),
    ("learning_rate", "learning/rate/1", "step"),
    ("learning_rate", "batch/learning/rate", "batch"),
    ("learning_rate", "epoch/learning/rate", "epoch"),  # Keras 3
    ("learning_rate", "epoch/lr", "epoch"),  # Keras 2
)

VALIDATION_SCALARS: Final[ScalarTags] = (
    # In a validation run every loss is a validation loss. Epochs first: so is the training loss
    # beside it, and only series of one axis can be compared.
    ("validation_loss", "epoch/loss", "epoch"),
    ("validation_loss", "evaluation/loss/vs/iterations", "step"),  # Keras
    ("validation_loss", "loss", "step"),  # estimators
    ("validation_loss", "loss/1", "step"),
    ("validation_loss", "total/loss", "step"),
    *(row for row in TRAINING_SCALARS if row[0] == "validation_loss"),
)

_LIGHTNING_RATE: Final = re.compile(r"lr-[a-z]{1,40}(/pg1|/group0)?", re.IGNORECASE)
"""Lightning's LearningRateMonitor, first parameter group: `lr-Adam`, `lr-SGD/pg1`."""


def _by_tag(rows: ScalarTags) -> Mapping[str, ScalarMeaning]:
    return {tag: ScalarMeaning(name, axis, rank) for rank, (name, tag, axis) in enumerate(rows)}


_TRAINING: Final = _by_tag(TRAINING_SCALARS)
_VALIDATION: Final = _by_tag(VALIDATION_SCALARS)


def scalar_meaning(tag: str, validation: bool = False) -> ScalarMeaning | None:
    """What `tag` of a training (or validation) run means; None for anything not in the tables.

    >>> scalar_meaning("Loss/train").name, scalar_meaning("epoch_loss", validation=True).name
    ('loss', 'validation_loss')
    >>> scalar_meaning("loss/train/classifier") is None
    True
    """
    if not validation and _LIGHTNING_RATE.fullmatch(tag):
        return ScalarMeaning("learning_rate", "step", len(TRAINING_SCALARS))
    key = re.sub(r"[\s_./-]+", "/", tag.strip().lower())
    return (_VALIDATION if validation else _TRAINING).get(key)
