"""Sorted data and lost updates, as the losses of a model that NumPy trains show them."""

from __future__ import annotations

from dataclasses import replace

import histories as draw
import numpy as np
import pytest
from histories.faults import ids

from tb_convergence.core.diagnosis import diagnose_history
from tb_convergence.core.history import RunHistory

CLASSES, FEATURES, BATCH = 6, 10, 16


def trained(
    order: str, epochs: int = 16, seed: int = 0, rate: float = 1.0, updates: bool = True,
    by_epoch: bool = False,
) -> RunHistory:
    """Softmax regression on Gaussian classes, with the batches in the given `order`."""
    rng = np.random.default_rng(seed)
    centers = rng.normal(0, 0.5, (CLASSES, FEATURES))
    labels = rng.integers(0, CLASSES, 960 + 240)
    samples = centers[labels] + rng.normal(0, 0.8, (len(labels), FEATURES))
    x, y, held, held_y = samples[:960], labels[:960], samples[960:], labels[960:]
    if order == "sorted":
        places = np.argsort(y, kind="stable")
        x, y = x[places], y[places]
    weights = rng.normal(0, 0.1, (FEATURES, CLASSES))

    def loss_of(inputs: np.ndarray, targets: np.ndarray) -> tuple[float, np.ndarray]:
        logits = inputs @ weights
        powers = np.exp(logits - logits.max(axis=1, keepdims=True))
        shares = powers / powers.sum(axis=1, keepdims=True)
        error = shares - np.eye(CLASSES)[targets]
        loss = -np.log(np.maximum(shares[np.arange(len(targets)), targets], 1e-12)).mean()
        return float(loss), inputs.T @ error / len(targets)

    losses, validation = [], []
    for _ in range(epochs):
        places = rng.permutation(len(y)) if order == "shuffled" else np.arange(len(y))
        for batch in np.split(places, len(y) // BATCH):
            loss, gradient = loss_of(x[batch], y[batch])
            losses.append(loss)
            weights -= rate * gradient if updates else 0.0
        validation.append(loss_of(held, held_y)[0])
    each = len(y) // BATCH
    steps, axis = np.arange(1, epochs + 1) * each - 1, "step"
    if by_epoch:
        steps, axis = np.arange(epochs), "epoch"
    return draw.history(
        loss=draw.series("loss", losses),
        validation_loss=draw.series("validation_loss", validation, steps, axis),
    )


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("by_epoch", [False, True])
def test_sorted_batches(seed: int, by_epoch: bool) -> None:
    assert "unshuffled-batches" in ids(trained("sorted", seed=seed, by_epoch=by_epoch))


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("order", ["shuffled", "fixed"])
def test_other_orders(order: str, seed: int) -> None:
    """A fixed order of samples that are mixed does little harm."""
    history = trained(order, seed=seed, rate=0.3)
    assert "unshuffled-batches" not in ids(history)
    assert diagnose_history(history).verdict.state != "sick"


def test_validation_losses_that_are_equal_to_the_last_digit() -> None:
    history = trained("shuffled", updates=False)
    first = diagnose_history(history).findings[0]
    assert (first.id, first.kind) == ("never-updated", "cause")
    assert "All 16 validation losses are exactly" in first.summary


@pytest.mark.parametrize("rate", [1e-4, 1e-9])
def test_validation_losses_that_differ_in_their_last_digits(rate: float) -> None:
    assert "never-updated" not in ids(trained("shuffled", rate=rate))


def test_a_stale_validation_loss_is_not_blamed_on_the_weights() -> None:
    history = trained("shuffled")
    stale = replace(history.scalars["validation_loss"], values=np.full(16, 1.7))
    stale_history = replace(history, scalars={**history.scalars, "validation_loss": stale})
    assert "never-updated" not in ids(stale_history)


def test_a_minute_rate_explains_equal_validation_losses() -> None:
    history = replace(trained("shuffled", updates=False), hparams={"lr": "1e-9"})
    assert "never-updated" not in ids(history)
    assert "learning-rate-too-low" in ids(history)
