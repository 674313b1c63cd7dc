"""When findings begin, what NaN takes their meaning from, and what a cause is said to have left."""

from __future__ import annotations

from dataclasses import replace

import histories as draw
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tb_convergence.core.diagnosis import Finding, Match, Rule, diagnose_history, replay
from tb_convergence.core.diagnosis.end_states import NO_GRADIENT, ONE_OUTPUT, EndState
from tb_convergence.core.diagnosis.onsets import lasting_since, mostly_since, sound_part
from tb_convergence.core.history import RunHistory
from tb_convergence.core.schema import Row

N = 120
NAMES = ("first", "second", "out")

MASKS = st.lists(st.booleans(), max_size=30)


@given(MASKS)
def test_the_last_stretch_begins_after_the_last_record_without(holds: list[bool]) -> None:
    found = lasting_since(holds)
    assert all(holds[found:])
    assert found == 0 or not holds[found - 1]


@given(MASKS)
def test_mostly_is_more_often_than_not_at_any_time(holds: list[bool]) -> None:
    """Against every start, and from each every end."""
    def right(start: int) -> bool:
        return all(
            2 * sum(holds[start:end]) > end - start for end in range(start + 1, len(holds) + 1)
        )

    starts = [start for start in range(len(holds)) if right(start)]
    assert mostly_since(holds) == (starts[0] if starts else None)
    if 2 * sum(holds) > len(holds):
        assert starts


def recorded(length: int = N, loss: np.ndarray | None = None, **columns: object) -> RunHistory:
    """Three layers that nothing is found in, with some columns replaced; `[S]` is of all rows."""
    ones = np.ones((length, len(NAMES)))
    given = {name: np.asarray(values, float) for name, values in columns.items()}

    def part(**healthy: np.ndarray) -> dict[str, np.ndarray]:
        return {name: given.get(name, values) for name, values in healthy.items()}

    variables = draw.table("variables", draw.kernels(*NAMES), part(
        gradient_norm=0.5 * ones, gradient_mean_abs=0.01 * ones,
        gradient_zero_fraction=0.1 * ones, gradient_missing=0 * ones,
        variable_norm=8 * ones, variable_nonfinite_fraction=0 * ones, update_norm=0.01 * ones,
        update_ratio=1e-3 * ones,
    ))
    activations = draw.table("activations", draw.outputs(*NAMES), part(
        activation_zero_fraction=0.5 * ones, activation_nan_fraction=0 * ones,
        activation_dead_fraction=0.05 * ones, activation_saturated_fraction=0 * ones,
    ))
    rows = (*draw.features("a"), *(
        Row(f"{kind}[0]", kind, kind, (0, 1)) for kind in ("target", "prediction")
    ))
    spread = given.get("spread", np.full(length, 0.3))
    inputs = draw.table("inputs", rows, {
        "feature_mean": np.tile([0.0, 0.5, 0.6], (length, 1)),
        "feature_std": np.stack([np.ones(length), np.full(length, 0.5), spread], axis=1),
        "feature_min": np.tile([-2.0, 0.0, 0.0], (length, 1)),
        "feature_max": np.tile([2.0, 1.0, 1.0], (length, 1)),
    })
    run = draw.run_table(draw.flat(length) if loss is None else loss)
    config = {"batch_size": 32, "loss": {"name": "binary_crossentropy"}}
    return draw.history(variables, activations, inputs, run, config=config)


def found(history: RunHistory) -> dict[str, Finding]:
    return {finding.id: finding for finding in diagnose_history(history).findings}


def since(step: int, before: float, after: float, length: int = N) -> np.ndarray:
    """`[S]`: one value before a step, another from it on."""
    return np.where(np.arange(length) < step, before, after)


@pytest.mark.parametrize("step", [0, 37, N - 5])
def test_one_output_is_dated_by_its_first_record_and_not_by_the_last_few(step: int) -> None:
    spread = since(step, 0.3, 0.0)
    assert found(recorded(spread=spread))["constant-output"].first_step == step


def test_one_output_begins_anew_after_a_record_with_several() -> None:
    spread = since(20, 0.3, 0.0)
    spread[60] = 0.1
    assert found(recorded(spread=spread))["constant-output"].first_step == 61


def test_four_records_of_one_output_are_no_state_yet() -> None:
    assert "constant-output" not in found(recorded(spread=since(N - 4, 0.3, 0.0)))


def average(active: np.ndarray) -> np.ndarray:
    """Share of dead units `[S]` of a layer whose units are all as active, as it is recorded."""
    value, dead = active[0], []
    for now in active:
        value = 0.9 * value + 0.1 * now
        dead.append(float(value < 0.01))
    return np.asarray(dead)


def test_units_died_when_they_fell_silent_and_not_when_their_average_did() -> None:
    active = since(30, 0.5, 0.0)
    dead = average(active)
    assert int(np.argmax(dead)) == 67  # what an average of weight 0.1 takes from 0.5 to 0.01
    shares = np.stack([dead, 0.05 + 0 * dead, np.full(N, np.nan)], axis=1)
    zeros = np.stack([1 - active, 0 * active + 0.5, 0 * active], axis=1)
    finding = found(
        recorded(activation_dead_fraction=shares, activation_zero_fraction=zeros)
    )["dead-relu"]
    assert (finding.first_step, finding.layers) == (30, ("first",))
    assert "since step 30" in finding.summary
    shown = [(item.statistic, item.step, item.value) for item in finding.evidence]
    assert shown == [
        ("activation_zero_fraction", 30, 1.0), ("activation_dead_fraction", 67, 1.0)
    ]


def test_an_average_is_followed_back_no_further_than_it_lags() -> None:
    """Outputs that were always mostly zero do not tell when half of the units died."""
    dead, zeros = since(100, 0.0, 0.6), np.full(N, 0.9)
    columns = {"activation_dead_fraction": dead, "activation_zero_fraction": zeros}
    assert found(recorded(**columns))["dead-relu"].first_step == 100 - 44


def test_without_zeros_recorded_the_average_dates_the_death() -> None:
    history = recorded(activation_dead_fraction=since(70, 0.0, 1.0))
    table = history.tables["activations"]
    kept = [i for i, name in enumerate(table.columns) if name != "activation_zero_fraction"]
    values = table.low[:, :, kept]
    part = replace(table, columns=tuple(table.columns[i] for i in kept), low=values, high=values)
    history = replace(history, tables={**history.tables, "activations": part})
    assert found(history)["dead-relu"].first_step == 70


@pytest.mark.parametrize("step", [0, 25])
def test_updates_are_too_large_from_the_first_that_is(step: int) -> None:
    ratio = since(step, 1e-3, 0.3)
    ratio[60] = 1e-3  # a single record says nothing against a median
    finding = found(recorded(update_ratio=ratio))["update-ratio-out-of-range"]
    assert finding.first_step == step


def test_a_variable_rests_from_where_it_came_to_rest() -> None:
    finding = found(recorded(update_norm=since(48, 0.01, 0.0)))["frozen-variable"]
    assert finding.first_step == 48


def test_a_passing_saturation_is_not_where_the_lasting_one_began() -> None:
    saturated = since(80, 0.1, 0.9)
    saturated[10:20] = 0.9
    finding = found(recorded(activation_saturated_fraction=saturated))["saturated-activation"]
    assert finding.first_step == 80


def test_gradients_vanish_from_where_they_mostly_do() -> None:
    mean = np.full((N, 3), 0.01)
    mean[5:9, 0] = mean[50:, 0] = 1e-7
    assert found(recorded(gradient_mean_abs=mean))["vanishing-gradient"].first_step == 50


def test_a_loss_that_stands_still_does_so_from_its_first_step_and_has_the_same_causes() -> None:
    """A rate that was too high by step 3 explains it: before, no course can be judged."""
    ratio = since(3, 1e-3, 0.3)
    findings = found(recorded(update_ratio=ratio))
    flat = findings["loss-not-decreasing"]
    assert (flat.first_step, flat.explained_by) == (0, "learning-rate-too-high")
    assert findings["learning-rate-too-high"].first_step == 3


def nan_from(step: int) -> dict[str, np.ndarray]:
    """What NaN in the weights makes of the statistics that do not show it."""
    dead = since(step, 0.05, 1.0)
    return {
        "variable_nonfinite_fraction": since(step, 0.0, 1.0),
        "activation_dead_fraction": dead,
        "activation_zero_fraction": since(step, 0.5, 1.0),
        "gradient_zero_fraction": since(step, 0.1, 1.0),
        "update_norm": since(step, 0.01, 0.0),
        "spread": since(step, 0.3, 0.0),
    }


def test_what_nan_weights_leave_founds_no_finding() -> None:
    loss = np.where(np.arange(N) < 40, np.linspace(2.3, 1.5, N), np.nan)
    assert set(found(recorded(loss=loss, **nan_from(40)))) == {"non-finite-values"}


def test_a_loss_that_is_finite_again_after_nan_weights_is_not_called_flat() -> None:
    loss = np.where(np.arange(N) < 40, np.linspace(2.3, 1.0, N), 2.3)
    assert "loss-not-decreasing" not in found(recorded(loss=loss, **nan_from(40)))


def test_what_held_before_the_nan_is_told_with_its_own_beginning() -> None:
    columns = nan_from(60) | {
        "activation_dead_fraction": since(20, 0.05, 1.0),
        "activation_zero_fraction": since(20, 0.5, 1.0),
    }
    finding = found(recorded(**columns))["dead-relu"]
    assert (finding.first_step, finding.last_step) == (20, 59)


def test_rules_without_records_before_the_nan_say_so() -> None:
    missing = {
        item.id: item.needs for item in diagnose_history(recorded(**nan_from(2))).not_evaluated
    }
    assert missing["dead-relu"] == (
        "5 records of activation_dead_fraction before weights or outputs became NaN (has 2)",
    )


@pytest.mark.parametrize("step", [0, 1, N - 1])
def test_nan_at_any_record_makes_no_rule_fail(step: int) -> None:
    missing = diagnose_history(recorded(**nan_from(step))).not_evaluated
    assert not [item for item in missing if "a fix" in item.needs[0]]


def test_a_step_with_nan_that_passed_takes_no_meaning_from_the_rest() -> None:
    passing = np.zeros(N)
    passing[50] = 1.0
    history = recorded(activation_nan_fraction=passing, spread=since(80, 0.3, 0.0))
    assert sound_part(history) is history
    assert found(history)["constant-output"].first_step == 80


def test_too_few_steps_is_told_of_the_end_and_not_before_it() -> None:
    history = draw.history(draw.run_table(np.linspace(2.3, 0.5, 56)))
    (finding,) = replay(history).diagnosis.findings
    assert finding.id == "too-few-steps"
    assert (finding.first_step, finding.reported_step) == (55, 55)


def said(rules: list[Rule], loss: np.ndarray | None = None) -> dict[str, str]:
    history = draw.history(draw.run_table(np.full(50, 0.65) if loss is None else loss))
    return {f.id: f.summary for f in diagnose_history(history, rules).findings}


def fixed(name: str, kind: str = "cause", **more: object) -> Rule:
    """A rule that always says the same; fields of its match, and `explains` of the rule."""
    explains = more.pop("explains", ())
    match = Match("critical", 0.9, f"{name}.", 0, 49, **more)
    return Rule(name, kind, name, (), lambda history, signs: match, explains=explains)


def test_the_first_card_says_what_state_the_run_is_in() -> None:
    """Also where another cause stands between: the state is told once, where reading begins."""
    texts = said([
        fixed("root", explains=("between",)),
        fixed("between", explains=("stuck", "same")),
        fixed("stuck", "symptom", state=EndState(NO_GRADIENT, 25)),
        fixed("same", "symptom", state=EndState(ONE_OUTPUT, 25)),
    ])
    assert texts["root"] == (
        "root. Since step 25 no kernel gets a gradient and the output is the same for every input. "
        "A loss of 0.65 is that of a constant prediction."
    )
    assert texts["between"] == "between."


def test_a_state_that_the_cause_speaks_of_is_not_told_again() -> None:
    texts = said([
        fixed("root", explains=("same",), state=EndState(ONE_OUTPUT, 0)),
        fixed("same", "symptom", state=EndState(ONE_OUTPUT, 3)),
    ])
    assert texts["root"] == "root."


def test_a_constant_output_alone_says_nothing_of_the_loss() -> None:
    """It may be computed from something else, as Keras' is from the values before a softmax."""
    texts = said([
        fixed("root", explains=("same",)),
        fixed("same", "symptom", state=EndState(ONE_OUTPUT, 0)),
    ])
    assert texts["root"] == "root. From the first step on the output is the same for every input."


def test_units_that_died_of_large_inputs_are_told_with_the_inputs() -> None:
    """Six of the run's statistics as a program with raw inputs left them."""
    history = recorded(
        loss=np.r_[1e5, np.full(N - 1, 0.65)], update_ratio=since(3, 1.5, 1e-6),
        activation_dead_fraction=since(3, 0.0, 1.0), activation_zero_fraction=since(3, 0.5, 1.0),
        gradient_zero_fraction=since(3, 0.1, 1.0), spread=since(3, 0.3, 0.0),
    )
    table = history.tables["inputs"]
    values = table.low.copy()
    values[:, 0, 0] = 140.0
    raw = replace(table, low=values, high=values)
    first, *_ = diagnose_history(
        replace(history, tables={**history.tables, "inputs": raw})
    ).findings
    assert first.id == "unnormalized-input"
    assert first.summary.endswith(
        "Since step 3 all units of first, second and out are dead, no kernel gets a gradient and "
        "the output is the same for every input. A loss of 0.65 is that of a constant prediction."
    )


@pytest.mark.parametrize(("benign", "by"), [(True, None), (False, "root")])
def test_what_does_no_harm_is_no_part_of_a_run_that_is_worth_nothing(benign, by) -> None:
    odd = fixed("odd", "symptom", benign=benign)
    rules = [fixed("root", explains=("odd",)), odd]
    found = {f.id: f for f in diagnose_history(RunHistory("drawn"), rules).findings}
    assert found["odd"].explained_by == by


def test_a_match_may_name_the_cause_that_it_follows() -> None:
    rules = [fixed("root"), fixed("second", caused_by=("root",))]
    found = {f.id: f for f in diagnose_history(RunHistory("drawn"), rules).findings}
    assert (found["second"].explained_by, found["root"].explained_by) == ("root", None)


@pytest.mark.parametrize(
    ("lowest", "by"), [(0.0, "learning-rate-too-high"), (-0.5, None)]
)
def test_a_logarithm_of_what_large_steps_made_zero_follows_from_them(lowest, by) -> None:
    """Of outputs that are no probabilities, the loss is amiss whatever the rate."""
    loss = np.where(np.arange(N) < 30, draw.falling(N), np.nan)
    history = recorded(loss=loss, update_ratio=np.full(N, 0.5))
    table = history.tables["inputs"]
    values = table.low.copy()
    values[30, 2, table.columns.index("feature_min")] = lowest
    history = replace(
        history, config={"batch_size": 32, "loss": {"name": "my_loss"}},
        tables={**history.tables, "inputs": replace(table, low=values, high=values)},
    )
    findings = found(history)
    assert findings["wrong-loss"].explained_by == by
    assert findings["learning-rate-too-high"].explained_by is None


@pytest.mark.parametrize(("target", "by"), [(3.0, "wrong-loss"), (1.0, None)])
def test_of_targets_that_are_no_probabilities_no_activation_mends_the_loss(target, by) -> None:
    history = recorded()
    table = history.tables["inputs"]
    values = table.low.copy()
    values[:, 1, table.columns.index("feature_max")] = target
    layer = {"name": "out", "class": "Dense", "activation": "linear", "inputs": ["x"],
             "output_shape": [None, 1]}
    history = replace(
        history, config={"batch_size": 32, "loss": {"name": "binary_crossentropy"},
                         "model": {"layers": [layer]}},
        tables={**history.tables, "inputs": replace(table, low=values, high=values)},
    )
    assert found(history)["wrong-output-activation"].explained_by == by


def test_a_rate_is_too_low_from_where_a_schedule_made_it_so() -> None:
    finding = found(recorded(update_ratio=since(45, 2e-3, 1e-6)))["learning-rate-too-low"]
    assert finding.first_step == 45


@pytest.mark.parametrize("never", [True, False])
def test_outputs_that_are_nan_do_not_count_as_never_naming_a_class(never: bool) -> None:
    """In the second half all outputs are NaN, or below even odds."""
    history = recorded()
    table = history.tables["inputs"]
    values = table.low.copy()
    values[:, 1, :2] = 0.05, 0.218  # mean and spread of a class of one in twenty
    values[:, 2, table.columns.index("feature_max")] = 0.3
    if not never:
        values[N // 2:, 2] = np.nan
    history = replace(
        history, tables={**history.tables, "inputs": replace(table, low=values, high=values)}
    )
    finding = found(history)["class-imbalance"]
    assert (finding.severity != "info") == never
    assert ("predicted class 0" in finding.summary) == never


@pytest.mark.parametrize("corrupt", [False, True])
def test_weights_that_turned_nan_were_not_shrunk_by_a_penalty(corrupt: bool) -> None:
    layer = {"name": "first", "class": "Dense", "activation": "relu", "inputs": ["x"],
             "output_shape": [None, 8],
             "kernel_regularizer": {"class": "L2", "config": {"l2": 0.01}}}
    ones = np.ones((N, 1))
    part = draw.table("variables", draw.kernels("first"), {
        "gradient_norm": ones, "variable_norm": since(60, 8.0, 0.0)[:, None],
        "variable_nonfinite_fraction": since(60, 0.0, float(corrupt))[:, None],
        "update_ratio": 1e-3 * ones,
    })
    history = draw.history(
        part, draw.run_table(draw.flat(N)), config={"model": {"layers": [layer]}}
    )
    assert ("over-regularization" in found(history)) == (not corrupt)


@pytest.mark.parametrize("corrupt", [False, True])
def test_units_of_nan_weights_have_not_died_of_the_first_steps(corrupt: bool) -> None:
    """The first steps were large, and what is zero at the end is so for another reason."""
    loss = np.where(np.arange(N) < 80, draw.falling(N, 2.3, 1.4), np.nan if corrupt else 1.4)
    history = recorded(
        loss=loss, update_ratio=since(3, 0.5, 1e-3), variable_norm=since(3, 4.0, 12.0),
        activation_dead_fraction=since(80, 0.0, 1.0),
        variable_nonfinite_fraction=since(80, 0.0, float(corrupt)),
    )
    assert ("learning-rate-too-high" in found(history)) == (not corrupt)


def epochs(training: np.ndarray, validation: np.ndarray) -> RunHistory:
    """A run of which only epochs are known, ten steps each."""
    at = np.arange(1, len(training) + 1) * 10
    return RunHistory("drawn", scalars={
        "epoch_loss": draw.series("epoch_loss", training, at),
        "validation_loss": draw.series("validation_loss", validation, at),
    })


def test_a_model_underfits_from_where_both_losses_came_to_rest() -> None:
    """The training loss rests from the 8th epoch, the one of validation from the 12th."""
    count = np.arange(1, 41)
    training = np.where(count < 8, 1.1, 1.0)
    validation = np.where(count < 12, 1.2, 1.02)
    assert found(epochs(training, validation))["underfitting"].first_step == 120


def test_a_loss_swings_from_where_it_last_entered_the_range_it_swings_in() -> None:
    """It falls for ten epochs, and swings from then on."""
    count = np.arange(40)
    loss = np.where(count < 10, 2.0 - 0.1 * count, 0.8 + 0.15 * (-1.0) ** count)
    finding = found(epochs(loss, np.full(40, np.nan)))["loss-oscillation"]
    assert finding.first_step == 110


def test_steps_are_clipped_from_where_most_are() -> None:
    history = recorded(gradient_norm=since(30, 0.5, 8.0))
    optimizer = {"class": "SGD", "config": {"clipnorm": 1.0}, "clipnorm": 1.0}
    history = replace(history, config={**history.config, "optimizer": optimizer})
    assert found(history)["clipping-hides-learning-rate"].first_step == 30


def test_gradients_grow_by_depth_from_where_they_mostly_do() -> None:
    """The largest is not above the norm from which gradients explode over time."""
    names = ("a", "b", "c", "d", "e")
    mean = np.full((N, 5), 1e-4)
    mean[40:, 0] = 0.1
    part = draw.table("variables", draw.kernels(*names), {
        "gradient_norm": np.full((N, 5), 1.0), "gradient_mean_abs": mean,
    })
    finding = found(draw.history(part, draw.run_table(draw.flat(N))))["exploding-gradient"]
    assert finding.first_step == 40


def test_where_all_of_the_gradient_is_zero_later_than_most_of_it_both_are_told() -> None:
    zero = since(10, 0.1, 1.0)
    zero[40] = 0.8
    zero = np.stack([since(41, 0.1, 1.0), zero, zero], axis=1)
    finding = found(recorded(gradient_zero_fraction=zero))["zero-gradient"]
    assert finding.first_step == 10
    assert "is exactly zero, in every record since step 41." in finding.summary
