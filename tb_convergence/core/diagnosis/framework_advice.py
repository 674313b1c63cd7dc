"""Advice in the words of the framework that wrote a run: a Lightning user has no Keras callback."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from tb_convergence.core.scalar_tags import Framework

FIRST_ADVICE: Final[Mapping[str, Mapping[Framework, str]]] = {
    "overfitting": {
        "lightning": (
            'Keep the weights of the best validation: ModelCheckpoint(monitor="val_loss"), and '
            'EarlyStopping(monitor="val_loss") to stop there.'
        ),
        "huggingface": (
            "Keep the weights of the best evaluation: load_best_model_at_end=True in "
            "TrainingArguments, and EarlyStoppingCallback to stop there."
        ),
        "yolo": (
            "Keep the weights of the best validation (weights/best.pt), and set patience=20 in "
            "train() to stop there."
        ),
        "tf1": (
            "Keep the checkpoint of the best evaluation (with an Estimator: BestExporter, and "
            "stop_if_no_decrease_hook to stop there)."
        ),
    },
}
"""Rule -> framework -> what stands in place of the rule's first piece of advice."""


def fitted(rule: str, advice: tuple[str, ...], framework: Framework) -> tuple[str, ...]:
    """`advice` of `rule`, its first piece in the words of `framework`.

    >>> fitted("overfitting", ("In Keras ...", "More data."), "yolo")[1:]
    ('More data.',)
    >>> fitted("overfitting", ("In Keras ...",), "")
    ('In Keras ...',)
    """
    first = FIRST_ADVICE.get(rule, {}).get(framework)
    return advice if first is None else (first, *advice[1:])
