"""Batch normalization that does not normalize, and initializations that cannot be judged."""

from __future__ import annotations

from dataclasses import replace

import histories as draw
import pytest
from histories.faults import cause, configured, dense, ids, model, started, with_loss

from tb_convergence.core.diagnosis import diagnose_history
from tb_convergence.core.history import RunHistory, Table

ID = "batch-norm-statistics"


def normalized(
    size: int = 32, statistics: str = "moved", shape: tuple[int | None, ...] = (None, 8),
    **of: object,
) -> RunHistory:
    """A network with one normalization layer, of a loss that does not fall."""
    norm = {"name": "norm", "class": "BatchNormalization", "inputs": ["hidden"],
            "output_shape": list(shape), "trainable": True, "moving_statistics": statistics, **of}
    layers = model(dense("hidden", "x"), norm, dense("out", "norm"))
    return configured(with_loss(draw.flat()), model=layers, batch_size=size)


@pytest.mark.parametrize(
    ("size", "shape", "found"),
    [
        (1, (None, 8), True),
        (2, (None, 8), True),
        (3, (None, 8), False),
        (1, (None, 6, 6, 8), False),  # the pixels of an image are many samples
    ],
)
def test_a_batch_too_small_to_have_statistics(
    size: int, shape: tuple[int | None, ...], found: bool
) -> None:
    assert (ID in ids(normalized(size, shape=shape))) == found


def test_a_new_layer_that_is_frozen_is_told_from_one_called_in_inference_mode() -> None:
    frozen = cause(normalized(statistics="initial", trainable=False), ID)
    called = cause(normalized(statistics="initial"), ID)
    assert "trainable=False" in frozen.summary
    assert "Set trainable = True on norm" in frozen.advice[0]
    assert "training=False" in called.summary
    assert "Call norm without training=False" in called.advice[0]


def test_a_layer_that_nothing_feeds_normalizes_nothing_and_is_no_fault() -> None:
    assert ID not in ids(normalized(statistics="initial", trainable=False, inputs=[]))


def test_statistics_that_were_not_recorded_say_nothing() -> None:
    assert ID not in ids(normalized(statistics=""))


def test_a_network_that_learns_without_normalization_is_information_only() -> None:
    learns = with_loss(draw.falling(), normalized(statistics="initial"))
    assert cause(learns, ID).severity == "info"


def not_evaluated(history: RunHistory) -> dict[str, tuple[str, ...]]:
    return {item.id: item.needs for item in diagnose_history(history).not_evaluated}


def with_variables(history: RunHistory, table: Table) -> RunHistory:
    return replace(history, tables={**history.tables, "variables": table})


def test_an_initialization_without_shapes_is_not_decided() -> None:
    base = started(0.35)
    table = base.tables["variables"]
    bare = replace(table, rows=tuple(replace(row, shape=()) for row in table.rows))
    assert "poor-initialization" not in not_evaluated(base)
    needs = not_evaluated(with_variables(base, bare))["poor-initialization"]
    assert needs == ("shapes of the weights",)


def test_an_initialization_that_was_not_recorded_is_not_decided() -> None:
    base = started(0.0)
    table = base.tables["variables"]
    late = replace(table, steps=table.steps + 50)
    needs = not_evaluated(with_variables(base, late))["poor-initialization"]
    assert needs == ("weights of the first step",)
