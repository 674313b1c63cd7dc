"""A softmax of a softmax shows in the floor of the loss, beside a high accuracy."""

from __future__ import annotations

from dataclasses import replace

import histories as draw
import numpy as np
import pytest
from histories.faults import ids

from tb_convergence.core.diagnosis import diagnose_history
from tb_convergence.core.history import RunHistory

N = 300
EPOCHS = 15


def softmax(values: np.ndarray) -> np.ndarray:
    powers = np.exp(values - values.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def run(
    classes: int, accuracy: float, sure: float, softmaxes: int, smoothing: float = 0.0,
    by_epoch: bool = False,
) -> RunHistory:
    """The exact cross-entropies of a model whose logits grow from 0 to `sure` with the training.

    A share `accuracy` of the samples is right, the others are right about a wrong class.
    """
    rng = np.random.default_rng(classes)

    def losses(points: int) -> np.ndarray:
        found = []
        for part in np.linspace(0, 1, points):
            logits = 0.01 * rng.normal(size=(256, classes))
            learned = 1 / classes + (accuracy - 1 / classes) * min(1, 3 * part)
            right = rng.uniform(size=256) < learned
            answer = np.where(right, 0, 1)
            logits[np.arange(256), answer] += sure * min(1.0, 3 * part)
            for _ in range(softmaxes - 1):
                logits = softmax(logits)
            logs = np.log(softmax(logits))
            found.append(-np.mean(
                (1 - smoothing) * logs[:, 0] + smoothing * logs.mean(axis=1)
            ))
        return np.array(found)

    rise = np.minimum(1, np.linspace(0.2, 3, EPOCHS)) * accuracy
    at = np.arange(EPOCHS) if by_epoch else 20 * np.arange(EPOCHS) + 19
    training = losses(N)
    loss = draw.series("loss", training)
    if by_epoch:
        loss = draw.series("epoch_loss", training.reshape(-1, 10).mean(axis=1), axis="epoch")
        at = np.arange(0, 30, 2)
    axis = "epoch" if by_epoch else "step"
    return draw.history(**{
        loss.name: loss,
        "validation_loss": draw.series("validation_loss", losses(EPOCHS), at, axis),
        "validation_metric": replace(
            draw.series("validation_metric", rise, at, axis), source="val_acc"
        ),
    })


@pytest.mark.parametrize("by_epoch", [False, True])
@pytest.mark.parametrize(("classes", "accuracy"), [(5, 0.97), (10, 0.96), (10, 0.88), (100, 0.9)])
def test_a_softmax_of_a_softmax(classes: int, accuracy: float, by_epoch: bool) -> None:
    history = run(classes, accuracy, 12.0, 2, by_epoch=by_epoch)
    (finding,) = [one for one in diagnose_history(history).findings if one.kind == "cause"]
    assert (finding.id, finding.title) == ("wrong-output-activation", "Softmax is applied twice")
    assert f"over {classes} classes" in finding.summary or by_epoch


@pytest.mark.parametrize(("classes", "accuracy", "sure", "smoothing"), [
    (10, 0.96, 6.0, 0.0),
    (10, 0.96, 5.0, 0.2),  # label smoothing has a floor, too, but a lower one
    (10, 0.85, 12.0, 0.0),  # sure of wrong answers, as after overfitting
    (100, 0.9, 5.0, 0.1),
    (1000, 0.82, 7.0, 0.1),
    (10, 0.6, 3.0, 0.0),
])
def test_a_single_softmax(classes: int, accuracy: float, sure: float, smoothing: float) -> None:
    assert "wrong-output-activation" not in ids(run(classes, accuracy, sure, 1, smoothing))


def test_a_loss_of_mixed_training_data_is_not_compared_with_a_validation_accuracy() -> None:
    """Mixup leaves a training loss near 1.5 beside a high accuracy; its validation loss is low."""
    twice = run(10, 0.96, 12.0, 2)
    assert "wrong-output-activation" in ids(twice)
    scalars = {name: one for name, one in twice.scalars.items() if name != "validation_loss"}
    assert "wrong-output-activation" not in ids(replace(twice, scalars=scalars))


@pytest.mark.parametrize("penalty", [0.7, 0.9, 1.1, 1.4])
@pytest.mark.parametrize(("accuracy", "end"), [(0.85, 0.5), (0.9, 0.3), (0.95, 0.15)])
@pytest.mark.parametrize(("first", "start"), [(0.52, 1.3), (0.65, 1.0)])
def test_a_penalty_that_stays_in_the_loss(
    penalty: float, accuracy: float, end: float, first: float, start: float
) -> None:
    """Keras' losses of an epoch contain the penalties. Those of the first epoch are below ln C."""
    epochs = np.arange(30.0)
    left, later = np.exp(-epochs / 5), np.exp(-(epochs + 0.5) / 5)
    noise = 0.005 * np.random.default_rng(0).normal(size=30)
    reached = accuracy + (first - accuracy) * later
    history = draw.history(
        epoch_loss=draw.series(
            "epoch_loss", end + (start - end) * left + penalty + noise, axis="epoch"),
        validation_loss=draw.series(
            "validation_loss", end + (start - end) * later + penalty, axis="epoch"),
        validation_metric=replace(
            draw.series("validation_metric", reached, axis="epoch"), source="val_acc"),
    )
    assert "wrong-output-activation" not in ids(history)


def test_a_loss_as_large_as_float32_allows() -> None:
    twice = run(10, 0.96, 12.0, 2)
    huge = replace(twice.scalars["validation_loss"], values=np.full(EPOCHS, 3e38))
    history = replace(twice, scalars={**twice.scalars, "validation_loss": huge})
    (missing,) = [one for one in diagnose_history(history).not_evaluated
                  if one.id == "wrong-output-activation"]
    assert missing.needs == ("config",)
