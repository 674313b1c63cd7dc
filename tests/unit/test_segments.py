"""What begins in mid-run: layers that are unfrozen, a rate that is raised, a loss that explodes."""

from __future__ import annotations

from dataclasses import replace

import histories as draw
import numpy as np
import pytest

from tb_convergence.core.diagnosis import Finding, diagnose_history
from tb_convergence.core.diagnosis.loss_trajectory import loss_trajectory
from tb_convergence.core.diagnosis.table_columns import last_segment
from tb_convergence.core.history import RunHistory

N = 100
AT = np.arange(N)


def found(history: RunHistory) -> dict[str, Finding]:
    return {finding.id: finding for finding in diagnose_history(history).findings}


def unfrozen(at: int, late: np.ndarray) -> RunHistory:
    """The last layer trains from the start with a norm of 1e-4, the others from `at` on."""
    base = draw.healthy(N)
    table = base.tables["variables"]
    values = np.array(table.low)
    column = table.columns.index("gradient_norm")
    values[:, :, column] = 1e-4
    values[:, :2, column] = np.where(at > AT, np.nan, late)[:, None]
    return replace(
        base, tables={**base.tables, "variables": replace(table, low=values, high=values)}
    )


def test_a_layer_is_held_against_its_own_first_gradient() -> None:
    steady = unfrozen(40, np.full(N, 50.0))
    assert last_segment(steady.tables["variables"]) == 40
    assert "exploding-gradient" not in found(steady)
    grows = unfrozen(40, 0.5 * 1.15 ** np.clip(AT - 40.0, 0, None))
    assert "exploding-gradient" in found(grows)


def test_large_steps_before_a_raise_are_not_its_onset() -> None:
    base = draw.healthy(N)
    table = base.tables["variables"]
    values = np.array(table.low)
    ratio = np.where(AT < 60, 2e-3, 0.6)
    ratio[7] = 0.15  # one large step long before, which did no harm
    values[:, :, table.columns.index("update_ratio")] = ratio[:, None]
    loss = np.where(AT < 61, draw.falling(N), 2.3 * 1.4 ** np.clip(AT - 60.0, 0, 60))
    rate = np.where(AT < 60, 0.02, 1.0)
    history = replace(
        base,
        tables={
            "variables": replace(table, low=values, high=values),
            "run": draw.run_table(loss, learning_rate=rate),
        },
        config={"optimizer": {"class": "SGD", "learning_rate": 0.02}},
    )
    finding = found(history)["learning-rate-too-high"]
    assert finding.first_step == 60
    assert "raised from 0.02 to 1 at step 60" in finding.summary
    assert "SGD(0.02)" in finding.advice[0]


@pytest.mark.parametrize("at", [8, 20, 60])
def test_an_explosion_is_no_noise_however_early_it_comes(at: int) -> None:
    calm = 1 + 0.05 * np.random.default_rng(2).standard_normal(N)
    loss = np.where(at > AT, calm, 1e15 * (1 + AT % 3))
    trajectory = loss_trajectory(draw.history(draw.run_table(loss)))
    assert trajectory is not None
    assert trajectory.noise < 0.2


def test_of_two_optimizers_each_layer_is_known_by_the_part_that_holds_it() -> None:
    base = draw.healthy(N)
    table = base.tables["variables"]
    rows = tuple(
        replace(row, layer=f"critic{' (2)' * again}: hidden_1") for again in (0, 1)
        for row in table.rows[:1]
    )
    low = table.low[:, :2]
    layers = [
        {"name": name, "class": "Dense", "inputs": ["x"], "trainable": True, "parameters": count,
         "trainable_parameters": count, "owner": owner}
        for name, count, owner in (("hidden_0", 50, "generator"), ("hidden_1", 72, "critic"))
    ]
    history = replace(
        base, tables={**base.tables, "variables": replace(table, rows=rows, low=low, high=low)},
        config={"model": {"layers": layers}},
    )
    finding = found(history)["never-updated"]
    assert finding.layers == ("hidden_0",)
    assert "of generator" in finding.summary


@pytest.mark.parametrize(("each", "told"), [(12, True), (1, False)])
def test_a_constant_loss_is_told_without_inputs_where_batches_differ(each: int, told: bool) -> None:
    base = draw.healthy(N)
    tables = {"variables": base.tables["variables"], "run": draw.run_table(np.full(N, 7.0))}
    history = replace(base, tables=tables, config={"steps_per_epoch": each})
    assert ("constant-loss" in found(history)) == told
