"""Advice in the words of the framework that wrote a run: a Lightning user has no Keras callback."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from tb_convergence.core.scalar_tags import Framework

FIRST_ADVICE: Final[Mapping[str, Mapping[Framework, str]]] = {
    "overfitting": {
        "lightning": (
            "Keep the weights of the best validation loss with "
            "ModelCheckpoint(monitor=\"val_loss\"), and stop there with "
            "EarlyStopping(monitor=\"val_loss\")."
        ),
        "huggingface": (
            "Keep the weights of the best evaluation with load_best_model_at_end=True in "
            "TrainingArguments, and stop there with EarlyStoppingCallback."
        ),
        "yolo": (
            "Keep the weights of the best validation (weights/best.pt), and stop there with "
            "patience=20 in train()."
        ),
        "tf1": (
            "Keep the checkpoint of the best evaluation, and stop there (with an Estimator: "
            "BestExporter and stop_if_no_decrease_hook)."
        ),
    },
}
"""Rule -> framework -> the text that replaces the rule's first piece of advice."""


def fitted(rule: str, advice: tuple[str, ...], framework: Framework) -> tuple[str, ...]:
    """`advice` of `rule`, its first piece in the words of `framework`.

    >>> fitted("overfitting", ("In Keras ...", "More data."), "yolo")[1:]
    ('More data.',)
    >>> fitted("overfitting", ("In Keras ...",), "")
    ('In Keras ...',)
    """
    first = FIRST_ADVICE.get(rule, {}).get(framework)
    return advice if first is None else (first, *advice[1:])
