"""What settings do to every step: gradients that are cut off, weight decay, and clipping."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import histories as draw
import numpy as np
import pytest
from histories.faults import N, cause, changed, configured, dense, ids, model, with_loss

from tb_convergence.core.diagnosis.training_progress import FALLS
from tb_convergence.core.history import RunHistory

NAMES = ("first", "second", "third")


def without_gradient(*names: str, loss: np.ndarray | None = None, **inputs: str) -> RunHistory:
    """first -> rounded -> second -> third, of which `names` never get a gradient."""
    missing = np.array([float(name in names) for name in NAMES])
    table = draw.table("variables", draw.kernels(*NAMES), {
        "gradient_norm": np.tile(0.1 * (1 - missing), (N, 1)),
        "gradient_missing": np.tile(missing, (N, 1)),
        "update_ratio": np.tile(1e-3 * (1 - missing), (N, 1)),
    })
    feeds = {"first": "x", "second": "rounded", "third": "second", **inputs}
    layers = [dense(name, feeds[name], trainable=True) for name in NAMES]
    layers.insert(1, {"name": "rounded", "class": "Lambda", "inputs": ["first"]})
    run = configured(with_loss(draw.flat() if loss is None else loss), model=model(*layers))
    return replace(run, tables={**run.tables, "variables": table})


def test_the_place_where_the_gradient_is_cut_is_named() -> None:
    finding = cause(without_gradient("first"), "never-updated")
    assert finding.layers == ("first",)
    assert finding.title == "The gradient is cut off"
    assert "between first and second (rounded) has no derivative" in finding.summary


def test_a_head_that_feeds_nothing_is_not_cut_off() -> None:
    """The last layer gets no gradient because the loss does not use it."""
    assert "never-updated" not in ids(without_gradient("third"))


def test_a_run_that_learns_with_a_part_cut_off_is_only_a_guess() -> None:
    """It may be meant; that a variable does not change is a warning of its own."""
    learns = cause(without_gradient("first", loss=draw.falling()), "never-updated")
    assert learns.confidence == 0.5
    assert FALLS in learns.summary


def decaying(decay: float, kept: float, rate: float = 3e-3, **optimizer: Any) -> RunHistory:
    """AdamW with a decay, and weights that end at `kept` of their first norm."""
    norm = np.geomspace(8.0, 8.0 * kept, N)
    history = changed("variables", variable_norm=norm)
    run = draw.run_table(draw.flat(), learning_rate=np.full(N, rate))
    history = replace(history, tables={**history.tables, "run": run})
    return configured(history, optimizer={"class": "AdamW", "weight_decay": decay, **optimizer})


@pytest.mark.parametrize(
    ("decay", "kept", "found"),
    [(20.0, 0.2, True), (0.3, 0.2, False), (20.0, 0.9, False), (0.0, 0.2, False)],
)
def test_weight_decay_that_forgets(decay: float, kept: float, found: bool) -> None:
    assert ("over-regularization" in ids(decaying(decay, kept))) == found


def test_the_advice_on_a_decay_names_the_usual_one() -> None:
    finding = cause(decaying(20.0, 0.2), "over-regularization")
    assert finding.title == "Weight decay outweighs the data"
    assert "AdamW(weight_decay=0.004) instead of weight_decay=20" in finding.advice[0]


@pytest.mark.parametrize(
    ("records", "clipped", "found"), [(6, 6, True), (6, 5, False), (4, 4, False), (24, 20, True)]
)
def test_few_records_suffice_if_every_one_is_clipped(
    records: int, clipped: int, found: bool
) -> None:
    """Five of five have a chance of 3 % where half of the steps are clipped."""
    norm = np.where(np.arange(records) < clipped, 5.0, 0.01)
    history = changed("variables", draw.healthy(records), gradient_norm=norm)
    history = with_loss(draw.flat(records), history)
    history = configured(history, optimizer={"class": "SGD", "clipnorm": 0.1})
    assert ("clipping-hides-learning-rate" in ids(history)) == found
