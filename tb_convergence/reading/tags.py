"""What the tags of other people's summaries mean: a table of what frameworks write, no guesses.

Pure functions of names. See PATTERNS and the tables for who writes what.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from tb_convergence.core.history import Axis


@dataclass(frozen=True, slots=True)
class ScalarMeaning:
    """What a scalar tag stands for; of two tags for one statistic the lower rank is read."""

    name: str
    axis: Axis
    rank: int


_LOSS_TAGS: Final[tuple[tuple[str, str, Axis], ...]] = (
    # Best first. Tags are compared in lower case with "/" for every separator.
    ("loss", "batch/loss", "batch"),  # Keras TensorBoard(update_freq="batch")
    ("loss", "train/loss/step", "step"),  # Lightning on_step
    ("loss", "loss/step", "step"),
    ("loss", "train/loss", "step"),  # Hugging Face, many
    ("loss", "loss/train", "step"),  # PyTorch's tutorials
    ("loss", "train/batch/loss", "step"),
    ("loss", "training/loss", "step"),
    ("loss", "loss/training", "step"),
    ("loss", "train/total/loss", "step"),
    ("loss", "losses/total/loss", "step"),  # TF-Slim
    ("loss", "loss/total/loss", "step"),  # TensorFlow Object Detection
    ("loss", "total/loss", "step"),
    ("loss", "loss", "step"),  # estimators, hand-written loops
    ("loss", "loss/1", "step"),  # estimators: the name made unique
    ("epoch_loss", "epoch/loss", "epoch"),  # Keras, in its training run
    ("epoch_loss", "train/loss/epoch", "step"),  # Lightning on_epoch: counted in steps
    ("epoch_loss", "loss/epoch", "step"),
    ("validation_loss", "epoch/val/loss", "epoch"),  # Keras before 2.0
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
    ("validation_loss", "loss/test", "step"),
    ("learning_rate", "train/learning/rate", "step"),  # Hugging Face
    ("learning_rate", "learning/rate", "step"),
    ("learning_rate", "train/lr", "step"),
    ("learning_rate", "lr", "step"),
    ("learning_rate", "learning/rate/1", "step"),
    ("learning_rate", "batch/learning/rate", "batch"),
    ("learning_rate", "epoch/learning/rate", "epoch"),  # Keras 3
    ("learning_rate", "epoch/lr", "epoch"),  # Keras 2
)

_VALIDATION_RUN_TAGS: Final[tuple[tuple[str, str, Axis], ...]] = (
    # In a validation run every loss is a validation loss.
    ("validation_loss", "epoch/loss", "epoch"),
    ("validation_loss", "evaluation/loss/vs/iterations", "step"),
    ("validation_loss", "loss", "step"),
    ("validation_loss", "loss/1", "step"),
    ("validation_loss", "total/loss", "step"),
)

_LIGHTNING_RATE: Final = re.compile(r"lr-[a-z]+(/pg1|/group0)?", re.IGNORECASE)
"""Lightning's LearningRateMonitor, first parameter group: `lr-Adam`, `lr-SGD/pg1`."""


def _by_tag(
    rows: tuple[tuple[str, str, Axis], ...],
) -> dict[str, ScalarMeaning]:
    return {tag: ScalarMeaning(name, axis, rank) for rank, (name, tag, axis) in enumerate(rows)}


_TRAINING: Final = _by_tag(_LOSS_TAGS)
_VALIDATION: Final = _by_tag(_VALIDATION_RUN_TAGS) | {
    tag: meaning for tag, meaning in _TRAINING.items() if meaning.name == "validation_loss"
}


def scalar_meaning(tag: str, validation: bool = False) -> ScalarMeaning | None:
    """What `tag` of a training (or validation) run means; None for anything not in the tables.

    >>> scalar_meaning("Loss/train").name, scalar_meaning("epoch_loss", validation=True).name
    ('loss', 'validation_loss')
    >>> scalar_meaning("loss/train/classifier") is None
    True
    """
    if not validation and _LIGHTNING_RATE.fullmatch(tag):
        return ScalarMeaning("learning_rate", "step", len(_LOSS_TAGS))
    key = re.sub(r"[\s_./-]+", "/", tag.strip().lower())
    return (_VALIDATION if validation else _TRAINING).get(key)
