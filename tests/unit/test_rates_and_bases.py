"""Which rate was in use, what a schedule did to it, and frozen bases that see nothing."""

from __future__ import annotations

from dataclasses import replace

import histories as draw
import numpy as np
import pytest

from tb_convergence.core.diagnosis import Finding, diagnose_history
from tb_convergence.core.diagnosis.rate_schedule import rates
from tb_convergence.core.history import RunHistory
from tb_convergence.core.schema import Row

N = 400


def cause(history: RunHistory, id_: str) -> Finding:
    return next(f for f in diagnose_history(history).findings if f.id == id_)


def with_rates(values: np.ndarray, ratio: np.ndarray, loss: np.ndarray, **config) -> RunHistory:
    """A run of SGD with momentum whose rate and update ratios are given for every step."""
    base = draw.healthy(len(values))
    table = base.tables["variables"]
    columns = np.array(table.low)
    columns[:, :, table.columns.index("update_ratio")] = ratio[:, None]
    return replace(
        base,
        tables={
            "variables": replace(table, low=columns, high=columns),
            "run": draw.run_table(loss, learning_rate=values),
        },
        config={"optimizer": {"class": "SGD", "learning_rate": 0.02, "momentum": 0.9, **config}},
    )


AT = np.arange(N)


def test_a_rate_raised_in_mid_run_is_named_and_the_one_that_worked_advised() -> None:
    rate = np.where(AT < 300, 0.02, 1.0)
    ratio = np.where(AT < 300, 2e-3, 0.6)
    loss = np.where(AT < 301, draw.falling(N), 2.3 * 1.2 ** np.clip(AT - 300.0, 0, 60))
    finding = cause(with_rates(rate, ratio, loss), "learning-rate-too-high")
    assert "raised from 0.02 to 1 at step 300" in finding.summary
    advised = (
        "Go back to the learning rate that worked until step 300: SGD(0.02, momentum=0.9).")
    assert finding.advice[0].startswith(advised)


def test_a_rate_that_is_constant_is_quoted_as_it_was_in_use() -> None:
    rate, ratio = np.full(N, 0.5), np.full(N, 0.6)
    finding = cause(with_rates(rate, ratio, 2.3 * 1.05**AT), "learning-rate-too-high")
    assert "raised" not in finding.summary
    assert "instead of SGD(0.5, momentum=0.9)" in finding.advice[0]


def test_a_warm_up_is_no_raise() -> None:
    rate = np.minimum(1.0, (AT + 1) / 100)
    found = rates(with_rates(rate, np.full(N, 1e-3), draw.falling(N)))
    assert found is not None
    assert found.raised_before(N) is None


@pytest.mark.parametrize("schedule", ["ExponentialDecay", ""])
def test_a_schedule_that_is_over_too_soon_is_named(schedule: str) -> None:
    rate = 0.01 * 0.98**AT
    history = with_rates(
        rate, 1e-3 * 0.98**AT, np.linspace(2.3, 2.2, N),
        learning_rate={"class": schedule, "config": {}},
    )
    finding = cause(history, "learning-rate-too-low")
    assert "from 0.01 to" in finding.summary
    assert schedule in finding.summary
    assert not any("fold" in advice for advice in finding.advice)
    assert "SGD(0.01, momentum=0.9)" in finding.advice[1]


def test_a_schedule_that_is_over_at_once_is_dated_between_records() -> None:
    """Records are dense at first only: the median of them says nothing of the run."""
    at = np.array([*range(10), 19, 359])
    rate = 0.1 * 0.9**at.astype(float)
    history = with_rates(
        rate, 0.08 * rate, np.linspace(2.3, 2.2, len(at)),
        learning_rate={"class": "ExponentialDecay", "config": {}},
    )
    moved = {
        group: replace(table, steps=at, wall_times=at.astype(float))
        for group, table in history.tables.items()
    }
    moved["run"] = draw.table(
        "run", moved["run"].rows,
        {"loss": np.linspace(2.3, 2.2, len(at)), "learning_rate": rate,
         "window_loss_mean": np.linspace(2.3, 2.2, len(at)),
         "window_steps": np.diff(at, prepend=-1).astype(float)}, at,
    )
    history = replace(history, tables=moved)
    found = rates(history)
    assert found is not None
    assert found.decayed_step == 22  # 0.9^22 is the first below a tenth
    assert found.died_at_once
    finding = cause(history, "learning-rate-too-low")
    assert finding.severity != "info"
    assert "Since step 22" in finding.summary


def test_a_schedule_that_ends_with_the_training_is_not_blamed() -> None:
    rate = 0.01 * (1 + np.cos(np.pi * AT / N)) / 2
    history = with_rates(rate, 5e-5 * np.ones(N), np.linspace(2.3, 2.2, N))
    assert "lowered" not in cause(history, "learning-rate-too-low").summary


def based(varies: float, frozen: bool = True, loss: np.ndarray | None = None) -> RunHistory:
    """Raw pixels into a base whose output differs between samples by so much of its size."""
    base = draw.healthy()
    table = base.tables["activations"]
    columns = {name: table.low[:, :, i] for i, name in enumerate(table.columns)}
    columns |= {"activation_mean": np.full((200, 3), 0.6), "activation_std": np.full((200, 3), 0.8),
                "activation_batch_std": np.full((200, 3), varies)}
    inputs = base.tables["inputs"]
    values = np.array(inputs.low)
    values[:, :, inputs.columns.index("feature_std")] = 60.0
    names = ("hidden_1", "hidden_2", "output")
    layers = [
        {"name": name, "class": "Dense", "inputs": [source], "parameters": 72,
         "trainable": not frozen or name == "output",
         "trainable_parameters": 72 * (not frozen or name == "output")}
        for source, name in zip(("a", *names), names, strict=False)
    ]
    return replace(
        base, config={"model": {"layers": layers}},
        tables={
            **base.tables, "inputs": replace(inputs, low=values, high=values),
            "activations": draw.table("activations", table.rows, columns),
            "run": draw.run_table(draw.flat() if loss is None else loss),
        },
    )


def test_a_frozen_base_is_fed_on_its_own_scale() -> None:
    found = [f.id for f in diagnose_history(based(0.5)).findings]
    assert "unnormalized-input" not in found
    assert "unnormalized-input" in [f.id for f in diagnose_history(based(0.5, False)).findings]


def test_a_frozen_base_that_gives_the_same_for_all_samples_is_named() -> None:
    finding = cause(based(0.02), "unnormalized-input")
    assert finding.title == "A frozen base gets the wrong input scale"
    assert finding.layers == ("hidden_2",)
    learned = based(0.02, loss=draw.falling())
    assert "unnormalized-input" not in [f.id for f in diagnose_history(learned).findings]


def lowered_by_a_callback(last: float) -> RunHistory:
    """Records of the first steps and the last, and the rate that Keras logs after each epoch."""
    loss = np.concatenate([np.linspace(2.3, 2.08, 100), np.full(N - 100, 2.08)])
    rate = np.where(AT < 20, 0.02, np.nan)
    rate[-1] = last
    run = with_rates(rate, np.full(N, 2e-3), loss)
    epoch = draw.table(
        "epoch", (Row("epoch", "epoch", "epoch"),),
        {"metric/learning_rate": np.maximum(last, 0.02 * 0.1 ** np.arange(8.0)),
         "epoch_loss": np.linspace(2.2, 2.08, 8)},
        np.arange(1, 9) * 50 - 1,
    )
    return replace(run, tables={**run.tables, "epoch": epoch})


def test_a_rate_that_a_callback_lowered_between_two_records() -> None:
    run = lowered_by_a_callback(2e-9)
    known = rates(run)
    assert known is not None
    assert (known.decayed_step, known.died_early) == (149, True)
    finding = cause(run, "learning-rate-too-low")
    assert finding.severity != "info"
    assert "ReduceLROnPlateau needs mode='min' for a loss" in finding.advice[0]
    assert "wrong-labels" not in {f.id for f in diagnose_history(run).findings}


def test_a_rate_that_stayed_is_not_called_lowered() -> None:
    known = rates(lowered_by_a_callback(0.02))
    assert known is not None
    assert known.decayed_step is None
