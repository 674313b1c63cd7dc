"""Comparison of two runs: its symmetries, its arithmetic, and what it must not invent."""

from __future__ import annotations

import json
from dataclasses import replace

import histories as draw
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tb_convergence.core.comparison import Comparison, as_json, compare
from tb_convergence.core.comparison.differences import lasting_since, orders_apart
from tb_convergence.core.comparison.pairing import pair_rows, pair_steps
from tb_convergence.core.comparison.relevance import ABOUT, by_relevance
from tb_convergence.core.comparison.settings import (
    MAX_SETTINGS,
    Setting,
    changed_settings,
    main_settings,
)
from tb_convergence.core.history import RunHistory
from tb_convergence.core.rules import RULES
from tb_convergence.core.schema import Row

N = 40
STEPS = st.lists(st.integers(0, 60), unique=True, max_size=30).map(
    lambda steps: np.array(sorted(steps), dtype=np.int64))
NUMBERS = hnp.arrays(np.float64, (N, 3), elements=st.floats(allow_nan=True, allow_infinity=True))


def altered(history: RunHistory, group: str = "variables", **columns: object) -> RunHistory:
    table = history.tables[group]
    values = np.array(table.low, np.float64)
    for name, column in columns.items():
        array = np.asarray(column, float)
        values[:, :, table.columns.index(name)] = array[:, None] if array.ndim == 1 else array
    return replace(
        history, tables={**history.tables, group: replace(table, low=values, high=values)}
    )


def every(history: RunHistory, steps: slice) -> RunHistory:
    """Only some of the records."""
    tables = {}
    for group, table in history.tables.items():
        low = table.low[steps]
        tables[group] = replace(table, steps=table.steps[steps], low=low, high=low,
                                wall_times=table.wall_times[steps])
    return replace(history, tables=tables)


def arbitrary(numbers: np.ndarray, loss: np.ndarray) -> RunHistory:
    history = altered(draw.healthy(N), gradient_norm=numbers, update_ratio=numbers[::-1],
                      gradient_zero_fraction=numbers)
    return replace(history, tables={**history.tables, "run": draw.run_table(loss)})


def said(result: Comparison, *, swapped: bool = False) -> set[tuple[object, ...]]:
    """The differences; with their two runs swapped, if asked. NaN as text: it equals itself."""
    found = set()
    for d in result.differences:
        sides = [(d.first_row, repr(d.first)), (d.second_row, repr(d.second))]
        orders = repr(0.0 - d.orders if swapped else 0.0 + d.orders)
        order = -1 if swapped else 1
        found.add((d.statistic, *sides[::order], orders, d.since_step, d.compared))
    return found


# Symmetries ---------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(NUMBERS, hnp.arrays(np.float64, N, elements=st.floats()))
def test_a_run_does_not_differ_from_itself(numbers: np.ndarray, loss: np.ndarray) -> None:
    with np.errstate(all="ignore"):
        history = replace(arbitrary(numbers, loss), config={"model": {"layers": [{"a": 1}]}})
        result = compare(history, history)
    assert result.differences == ()
    assert result.findings == ()
    assert result.settings == ()
    assert result.diverges_at is None
    json.dumps(as_json(result), allow_nan=False)


@settings(max_examples=60, deadline=None)
@given(NUMBERS, NUMBERS, hnp.arrays(np.float64, N, elements=st.floats()), st.booleans())
def test_to_swap_the_runs_is_to_swap_the_signs(
    first: np.ndarray, second: np.ndarray, loss: np.ndarray, thin: bool
) -> None:
    with np.errstate(all="ignore"):
        a, b = arbitrary(first, loss), arbitrary(second, loss[::-1])
        if thin:
            b = every(b, slice(None, None, 3))
        one, two = compare(a, b), compare(b, a)
    assert said(one) == said(two, swapped=True)
    assert one.diverges_at == two.diverges_at
    assert [(f.id, f.first, f.second) for f in one.findings] == \
        [(f.id, f.second, f.first) for f in sorted(two.findings, key=_order(one))]
    json.dumps(as_json(one), allow_nan=False)


def _order(result: Comparison):  # type: ignore[no-untyped-def]
    places = [finding.id for finding in result.findings]
    return lambda finding: places.index(finding.id)


# Pairing ------------------------------------------------------------------------------------------


@given(STEPS, STEPS)
def test_pairs_use_no_record_twice_and_equal_steps_together(
    first: np.ndarray, second: np.ndarray
) -> None:
    a, b = pair_steps(first, second)
    assert (np.diff(a) > 0).all()
    assert (np.diff(b) > 0).all()
    paired = dict(zip(first[a].tolist(), second[b].tolist(), strict=True))
    for step in set(first.tolist()) & set(second.tolist()):
        assert paired[step] == step
    other_a, other_b = pair_steps(second, first)
    assert (other_a.tolist(), other_b.tolist()) == (b.tolist(), a.tolist())


@given(STEPS, STEPS)
def test_between_the_records_of_a_pair_lies_no_better_one(
    first: np.ndarray, second: np.ndarray
) -> None:
    a, b = pair_steps(first, second)
    for step_1, step_2 in zip(first[a], second[b], strict=True):
        low, high = sorted((step_1, step_2))
        earlier = first if low == step_1 else second
        assert not ((earlier > low) & (earlier <= high)).any()


def test_rows_by_name_by_place_and_by_what_is_common() -> None:
    def table(*names: str, shape: tuple[int, ...] = (4, 4)):  # type: ignore[no-untyped-def]
        rows = tuple(Row(f"{n}/kernel", n, "kernel", shape) for n in names)
        return draw.table("variables", rows, {"gradient_norm": np.ones(3)}, np.arange(3))

    def pairs(a, b):  # type: ignore[no-untyped-def]
        found = pair_rows(a, b, range(len(a.rows)), range(len(b.rows)))
        return found.by, list(found.pairs)

    assert pairs(table("a", "b"), table("b", "a")) == ("name", [(0, 1), (1, 0)])
    renamed = table("dense_2", "dense_3")
    assert pairs(table("dense", "dense_1"), renamed) == ("place", [(0, 0), (1, 1)])
    assert pairs(table("a", "b", "c"), table("c", "x")) == ("name", [(2, 0)])
    assert pairs(table("a"), table("b", shape=(2, 2))) == (None, [])
    # Shapes that nobody knows agree with nothing.
    assert pairs(table("a", shape=()), table("b", shape=())) == (None, [])
    # Rows of one name: in their order, unless one run has more of them.
    assert pairs(table("a", "a", "b"), table("a", "a", "c")) == ("place", [(0, 0), (1, 1), (2, 2)])
    assert pairs(table("a", "a"), table("a", "a", "c")) == ("name", [(0, 0), (1, 1)])
    assert pairs(table("a", "a", "b"), table("a", "b")) == ("name", [(2, 1)])
    # dense_2 is hidden in the deep model and the output of the short one: the outputs are paired.
    deep = table("dense", "dense_1", "dense_2", "dense_3")
    assert pairs(deep, table("dense", "dense_1", "dense_2")) == ("role", [(0, 0), (1, 1), (3, 2)])
    assert pairs(table("fc1", "fc2"), table("fc1", "fc2", "fc3")) == ("role", [(0, 0), (1, 2)])


# Differences --------------------------------------------------------------------------------------


def exact(value: float) -> tuple[np.ndarray, np.ndarray]:
    return np.array([value]), np.array([value])


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        (exact(0.01), exact(10.0), 3.0),
        (exact(10.0), exact(0.01), -3.0),
        (exact(0.0), exact(1e-30), np.inf),
        (exact(1.0), exact(0.0), -np.inf),
        (exact(0.0), exact(0.0), 0.0),
        (exact(np.nan), exact(1.0), np.nan),
        (exact(-1.0), exact(1.0), np.nan),
        (exact(1.0), exact(np.inf), np.nan),
        ((np.array([1.0]), np.array([5.0])), (np.array([4.0]), np.array([9.0])), 0.0),
        ((np.array([1.0]), np.array([5.0])), (np.array([50.0]), np.array([900.0])), 1.0),
        ((np.array([50.0]), np.array([900.0])), (np.array([1.0]), np.array([5.0])), -1.0),
    ],
)
def test_orders_of_magnitude(first, second, expected: float) -> None:  # type: ignore[no-untyped-def]
    assert orders_apart(first, second)[0] == pytest.approx(expected, nan_ok=True)


def test_a_fraction_from_none_is_no_infinite_difference() -> None:
    apart = orders_apart(exact(0.0), exact(1.0), fraction=True)[0]
    assert apart == pytest.approx(np.log10(1.05 / 0.05))
    assert abs(orders_apart(exact(0.0), exact(0.03), fraction=True)[0]) < 0.5


@pytest.mark.parametrize(
    ("orders", "expected"),
    [
        ([0.0] * 3 + [1.0] * 7, 3),
        ([0.0] * 3 + [-1.0] * 7, 3),
        ([1.0] * 4 + [0.0] * 20, None),  # too short
        ([1.0] * 6 + [0.0] * 20, None),  # over again
        ([1.0] * 6 + [0.0] * 20 + [1.0] * 30, 0),
        ([1.0] * 6 + [0.0] * 30 + [1.0] * 20, 36),
        ([1.0, -1.0] * 10, None),
        ([0.4] * 30, None),
        ([1.0] * 3, 0),
        ([np.nan] * 30, None),
        ([], None),
    ],
)
def test_what_lasts(orders: list[float], expected: int | None) -> None:
    assert lasting_since(np.array(orders, float)) == expected


def test_a_layer_whose_updates_shrink_is_named_with_its_step() -> None:
    healthy = draw.healthy()
    table = healthy.tables["variables"]
    ratio = table.column("update_ratio").copy()
    ratio[60:, 1] /= 1000
    (found,) = compare(healthy, altered(healthy, update_ratio=ratio)).differences
    assert (found.statistic, found.first_row, found.since_step) == ("update_ratio", "hidden_2", 60)
    assert found.orders == pytest.approx(-3.0)
    assert found.first / found.second == pytest.approx(1000)


def test_the_largest_difference_comes_first() -> None:
    healthy = draw.healthy()
    norms = healthy.tables["variables"].column("gradient_norm") * np.array([1, 10, 1e-3])
    result = compare(healthy, altered(healthy, gradient_norm=norms))
    assert [d.first_row for d in result.differences] == ["output", "hidden_2"]


def test_runs_recorded_at_other_steps_are_compared_all_the_same() -> None:
    healthy = draw.healthy()
    sparse = every(altered(healthy, gradient_norm=np.full((200, 3), 50.0)), slice(3, None, 7))
    result = compare(healthy, sparse)
    assert len(result.differences) == 3
    assert result.loss is not None
    assert (result.loss.compared, result.loss.largest_gap_steps) == (29, 0)
    assert result.loss.diverges_at is None


def test_an_interval_that_proves_nothing_is_no_difference() -> None:
    healthy = draw.healthy()
    table = healthy.tables["variables"]
    wide = replace(table, low=table.low * 0.01, high=table.high * 100)
    other = replace(healthy, tables={**healthy.tables, "variables": wide})
    assert compare(healthy, other).differences == ()
    far = replace(table, low=table.low * 1e4, high=table.high * 1e6)
    other = replace(healthy, tables={**healthy.tables, "variables": far})
    norms = [d for d in compare(healthy, other).differences if d.statistic == "gradient_norm"]
    assert [(round(d.orders), d.exact) for d in norms] == [(4, False)] * 3


# Loss ---------------------------------------------------------------------------------------------


def with_loss(loss: np.ndarray) -> RunHistory:
    return draw.history(draw.run_table(loss))


def test_losses_part_where_one_stops_falling() -> None:
    falling = draw.falling()
    stopped = falling.copy()
    stopped[50:] = falling[50] + 0.02 * np.random.default_rng(1).standard_normal(150)
    loss = compare(with_loss(falling), with_loss(stopped)).loss
    assert loss is not None
    assert 51 <= loss.diverges_at <= 62
    assert loss.orders == pytest.approx(np.log10(loss.second / loss.first))
    assert loss.second == pytest.approx(stopped[180:].mean())


def test_losses_with_noise_of_their_own_do_not_part() -> None:
    other = draw.falling() + 0.02 * np.random.default_rng(2).standard_normal(200)
    assert compare(with_loss(draw.falling()), with_loss(other)).diverges_at is None


def test_losses_of_small_batches_part_where_their_means_do() -> None:
    """Each batch's loss lies as far from the next as the two runs lie apart."""
    random = np.random.default_rng(4)
    noise = random.normal(0, 3, (2, 400))
    calm, parted = 10 + noise[0], 10 + noise[1]
    assert compare(with_loss(calm), with_loss(parted)).loss.diverges_at is None
    parted[200:] -= 5
    loss = compare(with_loss(calm), with_loss(parted)).loss
    assert loss.diverges_at in range(195, 246)
    assert loss.first == pytest.approx(calm[-40:].mean(), rel=0.02)
    assert loss.second == pytest.approx(parted[-40:].mean(), rel=0.02)


def test_levels_of_two_kinds_of_loss_are_not_compared() -> None:
    def of(loss: np.ndarray, kind: dict[str, str] | None) -> RunHistory:
        return replace(with_loss(loss), config={"loss": kind} if kind else {})

    mean, total = draw.falling(), 32 * draw.falling()
    kinds = {"name": "mse"}, {"name": "mse", "reduction": "sum"}
    loss = compare(of(mean, kinds[0]), of(total, kinds[1])).loss
    assert not loss.one_kind
    assert loss.diverges_at is None
    assert np.isnan(loss.orders)
    total[70:] = np.nan
    assert compare(of(mean, kinds[0]), of(total, kinds[1])).loss.diverges_at == 70
    for first, second in [(kinds[0], kinds[0]), (kinds[0], None), (None, None)]:
        assert compare(of(mean, first), of(2 * mean, second)).loss.one_kind


def test_a_loss_that_becomes_nan_parts_there() -> None:
    broken = draw.falling()
    broken[70:] = np.nan
    assert compare(with_loss(draw.falling()), with_loss(broken)).diverges_at == 70
    assert compare(with_loss(broken), with_loss(broken)).diverges_at is None


def test_epochs_and_steps_are_not_compared() -> None:
    epochs = draw.history(epoch_loss=draw.series("epoch_loss", [3, 2, 1], axis="epoch"))
    result = compare(with_loss(draw.falling()), epochs)
    assert result.loss is None
    assert compare(draw.history(), draw.history()).loss is None


# Findings and settings ----------------------------------------------------------------------------


def test_a_finding_that_could_not_be_judged_is_not_said_to_be_gone() -> None:
    healthy = draw.healthy()
    dead = altered(healthy, "activations", activation_dead_fraction=np.full((200, 3), 0.97))
    bare = replace(healthy, tables={k: t for k, t in healthy.tables.items() if k != "activations"})
    for other, said in ((healthy, "none"), (bare, "not evaluated")):
        (change,) = [c for c in compare(dead, other).findings if c.id == "dead-relu"]
        assert (change.first, change.second, change.second_step) == ("info", said, None)


def layer(name: str, source: str, **more: object) -> dict[str, object]:
    return {"name": name, "class": "Dense", "units": 8, "activation": "relu", "inputs": [source],
            **more}


def model(*layers: dict[str, object]) -> dict[str, object]:
    return {"model": {"name": "sequential", "layers": list(layers)}}


def test_settings_that_differ() -> None:
    first = {"optimizer": {"class": "SGD", "learning_rate": 0.1}, "batch_size": 32,
             "writer": "tb_convergence 1"}
    second = {"optimizer": {"class": "SGD", "learning_rate": 0.01, "momentum": 0.9},
              "batch_size": 32, "writer": "tb_convergence 2"}
    found = [(s.name, s.first, s.second) for s in changed_settings(first, second)]
    assert found == [("optimizer.learning_rate", "0.1", "0.01"),
                     ("optimizer.momentum", None, "0.9")]


def test_a_rate_is_compared_as_float32_tells_it() -> None:
    first = {"optimizer": {"learning_rate": 0.0010000000474974513}}
    assert changed_settings(first, {"optimizer": {"learning_rate": 0.001}}) == ()


def test_names_that_the_framework_makes_up_do_not_differ() -> None:
    first = model(layer("dense", "x"), layer("dense_1", "dense"))
    second = model(layer("dense_2", "x_2"), layer("dense_3", "dense_2"))
    assert changed_settings(first, second) == ()


def test_a_layer_that_is_set_up_or_fed_differently() -> None:
    first = model(layer("a", "x"), layer("b", "a"), layer("c", "b"))
    second = model(layer("a", "x"), layer("b", "a", activation="tanh"), layer("c", "a"))
    found = [(s.name, s.first, s.second) for s in changed_settings(first, second)]
    assert found == [("b.activation", "relu", "tanh"), ("c.inputs", "1", "0")]


def test_an_inserted_layer_is_named_without_its_neighbors() -> None:
    first = model(layer("a", "x"), layer("b", "a"))
    second = model(layer("a", "x"), layer("drop", "a", **{"class": "Dropout", "rate": 0.5}),
                   layer("b", "drop"))
    found = {s.name: (s.first, s.second) for s in changed_settings(first, second)}
    assert found["model.layers"] == ("2 layers", "3 layers")
    assert found["layers that differ"] == (None, "Dropout(8, 0.5, relu)")


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda below: st.lists(below, max_size=4) | st.dictionaries(st.sampled_from(
        ["model", "layers", "name", "inputs", "class", "units", "a"]), below, max_size=4),
    max_leaves=20,
)


@given(st.dictionaries(st.sampled_from(["model", "optimizer", "loss", "a"]), JSON, max_size=4),
       st.dictionaries(st.sampled_from(["model", "optimizer", "loss", "a"]), JSON, max_size=4))
def test_a_configuration_of_any_form_is_compared(first: dict, second: dict) -> None:
    found = changed_settings(first, second)
    assert [(s.name, s.first, s.second) for s in found] == [
        (s.name, s.second, s.first) for s in changed_settings(second, first)]
    assert changed_settings(first, first) == ()


def test_an_endless_configuration_is_cut() -> None:
    deep: dict[str, object] = {}
    for _ in range(5_000):
        deep = {"a": deep}
    wide = {f"k{i}": "v" * 10_000 for i in range(5_000)}
    found = changed_settings({**wide, "d": deep}, {})
    assert len(found) == MAX_SETTINGS
    assert all(len(item.first or "") <= 200 for item in found)


def test_without_a_configuration_nothing_is_said_of_it() -> None:
    assert compare(draw.healthy(), draw.healthy()).settings is None


@pytest.mark.parametrize(
    ("findings", "first"),
    [
        ((), "optimizer.learning_rate"),
        (("wrong-hidden-activation",), "dense.activation"),
        (("poor-initialization", "learning-rate-too-high"), "dense.kernel_initializer.class"),
        (("overfitting",), "model.layers"),
        (("unshuffled-batches",), "optimizer.learning_rate"),
    ],
)
def test_the_setting_that_the_findings_are_about_comes_first(
    findings: tuple[str, ...], first: str
) -> None:
    names = ("epochs", "model.layers", "model.parameters", "optimizer.amsgrad", "optimizer.beta_1",
             "optimizer.beta_2", "optimizer.epsilon", "optimizer.learning_rate",
             "dense.activation", "dense.kernel_initializer.class")
    found = by_relevance([Setting(name, "a", "b") for name in names], findings)
    assert found[0].name == first
    assert sorted(one.name for one in found) == sorted(names)
    # What no finding and no general rule speaks of comes last, in the order it had.
    assert [one.name for one in found][-5:] == [
        "model.parameters", "optimizer.amsgrad", "optimizer.beta_1", "optimizer.beta_2",
        "optimizer.epsilon",
    ]


def test_relevance_speaks_of_rules_that_there_are() -> None:
    assert set(ABOUT) <= {rule.id for rule in RULES}


def test_main_settings_are_what_a_person_chose_and_bounded() -> None:
    dense = {"class": "Dense", "units": 32, "activation": "sigmoid",
             "bias_initializer": {"class": "Constant", "config": {"value": -2.0}}}
    found = main_settings({
        "framework": {"keras": "3"},
        "model": {"name": "m", "parameters": 9, "layers": [dense, dense, {"class": "Dropout",
                                                                         "rate": 0.5}]},
        "optimizer": {"class": "SGD", "learning_rate": 0.30000001192092896, "clipnorm": None},
        "batch_size": 32, "note": "x" * 1_000,
        "many": {str(index): index for index in range(100)},
    })
    assert found["layers"] == "2 x Dense(32, sigmoid), Dropout(0.5)"
    assert found["bias_initializer"] == "Constant(value=-2)"
    assert found["optimizer.learning_rate"] == "0.3"
    assert "framework.keras" not in found
    assert "optimizer.clipnorm" not in found
    assert len(found) == 40
    assert max(map(len, found.values())) == 80
    assert main_settings({}) == {}
