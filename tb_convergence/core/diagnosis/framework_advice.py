"""Advice in the words of the framework that wrote a run: a Lightning user has no Keras callback.

Rules write their advice for Keras, which our recorder serves. Where another program wrote a run,
what only Keras understands is replaced: by the framework's own words where it is known, by words
that fit any framework where it is not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from tb_convergence.core.history import RunHistory
from tb_convergence.core.scalar_tags import Framework


@dataclass(frozen=True, slots=True)
class Wording:
    """One thing to do, in the words of each framework.

    Attributes:
        keras: as it stands in the advice of rules.
        any: what fits every framework.
        known: what fits one of them; `any` fits the others. "{validation}" becomes the tag of the
            validation loss.
    """

    keras: str
    any: str
    known: Mapping[Framework, str] = field(default_factory=dict)


_ANOMALY: Final = "torch.autograd.set_detect_anomaly(True) names the operation."

WORDINGS: Final[tuple[Wording, ...]] = (
    Wording(
        "Keep the weights of the best validation loss: EarlyStopping(restore_best_weights=True) in "
        "Keras.",
        "Keep the weights of the best validation loss, and stop there.",
        {
            "lightning": (
                "Keep the weights of the best validation loss: "
                'ModelCheckpoint(monitor="{validation}"); EarlyStopping(monitor="{validation}") '
                "stops there."
            ),
            "huggingface": (
                "Keep the weights of the best evaluation: load_best_model_at_end=True in "
                "TrainingArguments, and EarlyStoppingCallback to stop there."
            ),
            "yolo": (
                "Keep the weights of the best validation (weights/best.pt), and set patience=20 "
                "in train() to stop there."
            ),
            "tf1": (
                "Keep the checkpoint of the best evaluation (with an Estimator: BestExporter, and "
                "stop_if_no_decrease_hook to stop there)."
            ),
        },
    ),
    Wording(
        "tf.debugging.enable_check_numerics() names the operation.",
        "The framework's own check names the operation: torch.autograd.set_detect_anomaly(True), "
        "or tf.debugging.enable_check_numerics().",
        {
            "lightning": "Trainer(detect_anomaly=True) names the operation.",
            "huggingface": _ANOMALY,
            "yolo": _ANOMALY,
            "stable-baselines3": _ANOMALY,
            "tf1": "tf.add_check_numerics_ops() names the operation.",
        },
    ),
    Wording(
        "Record every step, as ConvergenceRecorder does: the recording then shows the first bad "
        "step in full, with the tensor that goes bad first.",
        "Log the loss and the gradient norm of every step, starting from an earlier checkpoint: "
        "they show the first bad step, and which of the two goes bad first.",
    ),
    Wording(
        "glorot_uniform (the default)",
        "random values (in PyTorch, the default of torch.nn.Linear and Conv2d)",
        {"tf1": "tf.glorot_uniform_initializer()"},
    ),
    Wording(
        "Use the default glorot_uniform, or he_normal with ReLU, and zero biases.",
        "Use the framework's default, or He initialization with ReLU "
        "(torch.nn.init.kaiming_normal_), and zero biases.",
    ),
    Wording(
        "Find what lowers the rate. ReduceLROnPlateau needs mode='min' for a loss, mode='max' for "
        "an accuracy, and a patience of several epochs; LearningRateScheduler gets the epoch, not "
        "the step.",
        "Find what lowers the rate. ReduceLROnPlateau needs mode='min' for a loss, mode='max' for "
        "an accuracy, and a patience of several epochs. A schedule that counts epochs must not be "
        "advanced at every step.",
    ),
    Wording(
        "Clip by global norm (global_clipnorm=1.0) against outliers. With Adam, try a larger "
        "epsilon or a smaller beta_2.",
        "Clip gradients by their global norm against outliers. With Adam, try a larger epsilon or "
        "a smaller second beta.",
        {
            "lightning": (
                "Clip by global norm (Trainer(gradient_clip_val=1.0)) against outliers. With Adam, "
                "try a larger eps or a smaller second beta."
            ),
            "huggingface": (
                "Clip by global norm (max_grad_norm in TrainingArguments) against outliers. With "
                "Adam, try a larger adam_epsilon or a smaller adam_beta2."
            ),
            "stable-baselines3": (
                "Clip by global norm (max_grad_norm of the policy) against outliers. With Adam, "
                "try a larger eps or a smaller second beta."
            ),
        },
    ),
)
"""What rules advise in Keras' words, and how others say it."""


def written_by_keras(history: RunHistory) -> bool:
    """Whether Keras wrote `history`, or our recorder, which needs it; `log_health` does not."""
    if history.framework == "keras":
        return True
    recorded = any(table.source == "recorder" for table in history.tables.values())
    return recorded and history.config.get("writer") != "log_health"


def fitted(advice: tuple[str, ...], history: RunHistory) -> tuple[str, ...]:
    """`advice` in the words of the framework that wrote `history`.

    >>> said = ("If unsure: tf.debugging.enable_check_numerics() names the operation.",)
    >>> fitted(said, RunHistory("r", framework="lightning"))
    ('If unsure: Trainer(detect_anomaly=True) names the operation.',)
    >>> fitted(said, RunHistory("r", framework="keras")) == said
    True
    """
    if written_by_keras(history):
        return advice
    series = history.scalars.get("validation_loss")
    validation = series.source if series is not None and " + " not in series.source else "val_loss"
    result = list(advice)
    for wording in WORDINGS:
        words = wording.known.get(history.framework, wording.any)
        words = words.replace("{validation}", validation)
        result = [piece.replace(wording.keras, words) for piece in result]
    return tuple(result)
