"""What a learning rate and histograms prove about the size of steps that nobody recorded."""

from __future__ import annotations

from dataclasses import replace

import histories as draw
import numpy as np
import pytest
from histories.faults import ids
from numpy.typing import NDArray

from tb_convergence.core.diagnosis import diagnose_history
from tb_convergence.core.diagnosis.step_size import ratio_from_rate
from tb_convergence.core.history import RunHistory
from tb_convergence.core.schema import Row

Array = NDArray[np.float64]
N = 60


def logged(
    rate: float, loss: Array, gradients: list[Array], weights: list[Array]
) -> RunHistory:
    """A run of one layer, with the norms and spreads that histograms would tell, and no updates."""
    table = draw.table("variables", draw.kernels("fc1"), {
        "gradient_norm": np.array([[np.linalg.norm(g)] for g in gradients]),
        "gradient_mean_abs": np.array([[np.abs(g).mean()] for g in gradients]),
        "variable_norm": np.array([[np.linalg.norm(w)] for w in weights]),
        "variable_std": np.array([[w.std()] for w in weights]),
        "variable_mean": np.array([[w.mean()] for w in weights]),
    })
    run = draw.run_table(loss, learning_rate=np.full(len(loss), rate))
    return draw.history(table, run)


def constant(rate: float, loss: Array, size: float = 0.2) -> RunHistory:
    rng = np.random.default_rng(3)
    weights = [rng.normal(0, size, (32, 32))] * len(loss)
    gradients = [rng.normal(0, 0.01, (32, 32)) for _ in loss]
    return logged(rate, loss, gradients, weights)


@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "adam"])
@pytest.mark.parametrize("signal", [0.0, 0.3, 3.0])
def test_the_steps_of_real_optimizers_lie_within_the_bounds(optimizer: str, signal: float) -> None:
    """NumPy's own SGD, momentum 0.9 and Adam, with gradients from all noise to all signal."""
    rng, rate = np.random.default_rng(0), 1e-3
    weight = rng.normal(0, 0.1, (40, 30))
    direction = rng.normal(0, 1, weight.shape)
    velocity, mean, square = (np.zeros_like(weight) for _ in range(3))
    gradients, weights, ratios = [], [], []
    for step in range(1, N + 1):
        gradient = signal * direction + rng.normal(0, 1, weight.shape)
        if optimizer == "adam":
            mean = 0.9 * mean + 0.1 * gradient
            square = 0.999 * square + 0.001 * gradient**2
            scaled = np.sqrt(square / (1 - 0.999**step)) + 1e-7
            update = -rate * mean / (1 - 0.9**step) / scaled
        else:
            velocity = (0.9 if optimizer == "momentum" else 0.0) * velocity - rate * gradient
            update = velocity
        gradients.append(gradient)
        weights.append(weight)
        ratios.append(np.linalg.norm(update) / np.linalg.norm(weight))
        weight = weight + update
    bounds = ratio_from_rate(logged(rate, np.ones(N), gradients, weights))
    assert bounds is not None
    low, high = bounds
    # A gradient that scatters may be smaller in one step than in the ten before it.
    assert (low[:, 0] <= np.array(ratios) * 1.2).all()
    assert (np.array(ratios) <= high[:, 0] * 1.2).all()


def test_without_a_rate_nothing_is_bounded() -> None:
    base = constant(1e-3, np.ones(N))
    no_rate = replace(base, tables={**base.tables, "run": draw.run_table(np.ones(N))})
    assert ratio_from_rate(no_rate) is None
    assert ratio_from_rate(replace(base, tables={"run": base.tables["run"]})) is None


@pytest.mark.parametrize(("rate", "low"), [(1e-6, True), (1e-3, False)])
def test_a_rate_at_which_no_optimizer_moves_is_too_low(rate: float, low: bool) -> None:
    loss = 2.3 + np.random.default_rng(1).normal(0, 0.02, N)
    assert ("learning-rate-too-low" in ids(constant(rate, loss))) == low


def scalars_only(rate: float, loss: Array) -> RunHistory:
    base = constant(rate, loss)
    return replace(base, tables={"run": base.tables["run"]})


@pytest.mark.parametrize("rule", ["learning-rate-too-low", "learning-rate-too-high"])
def test_a_usual_rate_alone_decides_nothing(rule: str) -> None:
    """A log of scalars does not count the rule among those that were decided."""
    diagnosis = diagnose_history(scalars_only(1e-3, np.ones(N)))
    (missing,) = [one for one in diagnosis.not_evaluated if one.id == rule]
    assert missing.needs == ("update_ratio",)


def test_a_rate_below_all_recipes_is_a_possible_cause_of_a_flat_loss() -> None:
    loss = 2.3 + np.random.default_rng(1).normal(0, 0.001, N)
    diagnosis = diagnose_history(scalars_only(1e-7, loss))
    cause = diagnosis.first_cause
    assert cause is not None
    assert cause.id == "learning-rate-too-low"
    assert cause.confidence <= 0.5
    # Trained weights are tuned at such rates, and their loss falls.
    assert "learning-rate-too-low" not in ids(scalars_only(1e-7, np.geomspace(0.69, 0.5, N)))


def test_such_a_rate_is_a_hint_where_noise_hides_whether_the_loss_falls() -> None:
    loss = 2.3 + np.random.default_rng(1).normal(0, 0.3, 20)
    diagnosis = diagnose_history(scalars_only(1e-7, loss))
    (found,) = [one for one in diagnosis.findings if one.id == "learning-rate-too-low"]
    assert found.severity == "info"
    assert diagnosis.verdict.state == "not-decided"


@pytest.mark.parametrize(("rate", "high"), [(10.0, True), (1.0, False), (0.1, False)])
def test_a_rate_above_all_recipes_is_a_possible_cause_of_nan(rate: float, high: bool) -> None:
    loss = np.full(N, 2.3)
    loss[30:] = np.nan
    assert ("learning-rate-too-high" in ids(scalars_only(rate, loss))) == high
    assert "learning-rate-too-high" not in ids(scalars_only(rate, np.geomspace(2.3, 0.2, N)))


def test_a_rate_at_which_the_whole_run_goes_nowhere_is_too_low() -> None:
    """Single steps of 1.3e-4 are no proof; that 630 of them lead no farther than 8 % is."""
    steps = 630
    loss = 2.3 + np.random.default_rng(1).normal(0, 0.001, steps)
    found = diagnose_history(constant(1e-5, loss, size=0.075)).first_cause
    assert found is not None
    assert found.id == "learning-rate-too-low"
    assert any(item.statistic == "path_length" for item in found.evidence)
    # As many steps ten times as long lead to where training has begun.
    assert "learning-rate-too-low" not in ids(constant(1e-4, loss, size=0.075))


@pytest.mark.parametrize(("growth", "high"), [(1.3, True), (1.01, False)])
def test_weights_that_grow_between_records_prove_long_steps(growth: float, high: bool) -> None:
    """What Adam at 0.3 does: the optimizer is unknown, and the rate need not have been logged."""
    rng = np.random.default_rng(4)
    loss = np.r_[np.linspace(2.3, 2.2, 30), np.full(N - 30, np.nan)]
    first = rng.normal(0, 0.1, (32, 32))
    weights = [first * growth ** min(step, 10) for step in range(N)]
    base = logged(0.3, loss, [first * 0.1] * N, weights)
    run = draw.run_table(loss)
    assert ("learning-rate-too-high" in ids(replace(base, tables={**base.tables, "run": run}))
            ) == high


def test_weights_that_shrank_may_grow_back_fast() -> None:
    loss = np.r_[np.linspace(2.3, 2.2, 30), np.full(N - 30, np.nan)]
    first = np.random.default_rng(4).normal(0, 0.1, (32, 32))
    weights = [first * (1e-6 if step == 5 else 1e-3 if step else 1.0) for step in range(N)]
    base = logged(0.3, loss, [first * 0.1] * N, weights)
    run = draw.run_table(loss)
    assert "learning-rate-too-high" not in ids(
        replace(base, tables={**base.tables, "run": run})
    )


@pytest.mark.parametrize(("end", "decayed"), [(1e-3, True), (0.5, False)])
def test_kernels_that_all_shrink_to_nothing_are_decayed(end: float, decayed: bool) -> None:
    """Histograms alone: no configuration tells of a penalty."""
    size = np.geomspace(1, end, N)[:, None] * np.array([[4.0, 5.0, 6.0]])
    columns = {"variable_norm": size, "gradient_norm": 0.1 * size}
    table = draw.table("variables", draw.kernels("a", "b", "c"), columns)
    flat = draw.history(table, draw.run_table(draw.flat(N)))
    assert ("over-regularization" in ids(flat)) == decayed
    learns = draw.history(table, draw.run_table(draw.falling(N)))
    assert "over-regularization" not in ids(learns)
    # One kernel that holds on: the data pulls as well.
    size[:, 2] = 6.0
    held = draw.table("variables", draw.kernels("a", "b", "c"), columns)
    assert "over-regularization" not in ids(
        draw.history(held, draw.run_table(draw.flat(N)))
    )


@pytest.mark.parametrize(("sizes", "found"), [
    ((0.0, 0.0, 0.0), True),
    ((0.0, 0.1, 0.1), False),  # the scale of a normalization, or an adapter, starts at zero
])
def test_histograms_show_a_network_whose_every_weight_is_zero(
    sizes: tuple[float, ...], found: bool
) -> None:
    rows = tuple(Row(f"{n}.weight", n, "kernel") for n in "abc")
    table = draw.table("variables", rows, {
        "variable_std": np.tile(sizes, (N, 1)), "variable_mean": np.zeros((N, 3)),
    })
    loss = draw.run_table(draw.flat(N))
    assert ("poor-initialization" in ids(draw.history(table, loss))) == found


def test_a_small_rate_at_which_the_loss_falls_is_right() -> None:
    assert "learning-rate-too-low" not in ids(constant(1e-6, np.geomspace(2.3, 0.2, N)))


@pytest.mark.parametrize(("rate", "high"), [(5.0, True), (1e-2, False)])
def test_a_rate_at_which_every_optimizer_leaps_is_too_high(rate: float, high: bool) -> None:
    loss = np.full(N, 2.3)
    loss[30:] = np.nan
    base = constant(rate, loss)
    assert ("learning-rate-too-high" in ids(base)) == high


def test_gradients_that_grow_under_a_loss_that_stands_still_convict_no_rate() -> None:
    loss = 2.3 + np.random.default_rng(1).normal(0, 0.02, N)
    weights = [np.random.default_rng(2).normal(0, 0.2, (32, 32))] * N
    gradients = [np.full((32, 32), size) for size in np.geomspace(1e-12, 1e-3, N)]
    assert "learning-rate-too-high" not in ids(logged(1e-3, loss, gradients, weights))
