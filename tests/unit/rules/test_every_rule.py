"""Every rule on its own series: where it fires, just below, and on anything at all."""

from __future__ import annotations

import json
import math
import operator
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import histories as draw
import numpy as np
import pytest
from histories.fault_cases import CASES
from histories.faults import cut, deep, ids, targets
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tb_convergence.core.diagnosis import Evidence, diagnose_history
from tb_convergence.core.diagnosis.finding import as_json
from tb_convergence.core.diagnosis.loss_trajectory import loss_trajectory
from tb_convergence.core.diagnosis.table_columns import median_over_time
from tb_convergence.core.diagnosis.timeline import cut_points
from tb_convergence.core.history import RunHistory
from tb_convergence.core.rules import RULES

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "tools"))

from worked_examples import EXAMPLES


def test_every_rule_has_a_case() -> None:
    assert set(CASES) == {rule.id for rule in RULES}


@pytest.mark.parametrize("rule", CASES)
def test_fires(rule: str) -> None:
    assert rule in ids(CASES[rule][0]())


SPEAKS_FOR_IT = {
    "more than": operator.gt, "less than": operator.lt, "at least": operator.ge,
    "at most": operator.le, "exactly": operator.eq, "other than": operator.ne,
}


def speaks_for_its_finding(item: Evidence) -> bool:
    """Whether a number lies on the side of its threshold that it is said to lie on."""
    if item.limit is None:
        return item.side is None
    if math.isnan(item.value):
        return item.side is None
    return item.side is not None and SPEAKS_FOR_IT[item.side](item.value, item.limit)


@pytest.mark.parametrize("rule", CASES)
def test_evidence_lies_on_the_suspect_side_of_its_threshold(rule: str) -> None:
    for case in CASES[rule]:
        for finding in diagnose_history(case()).findings:
            assert [e for e in finding.evidence if not speaks_for_its_finding(e)] == []


def as_they_grew() -> Iterator[RunHistory]:
    """The runs of all cases and of the documentation's examples, cut short at many places."""
    makers = [case for pair in CASES.values() for case in pair]
    makers += [example.history for example in EXAMPLES.values()]
    for make in makers:
        history = make()
        for step in cut_points(history, 12):
            yield history.until(step)


def test_evidence_holds_wherever_a_run_is_cut() -> None:
    """Nothing is called suspect that is not, however early a person looks."""
    looks, wrong = 0, set()
    for history in as_they_grew():
        for finding in diagnose_history(history).findings:
            looks += 1
            wrong |= {
                (finding.id, item.name) for item in finding.evidence
                if not speaks_for_its_finding(item)
            }
    assert looks > 1000
    assert wrong == set()


LONGEST_TITLE = 44
"""Characters that the line of a run at the top of the tab has room for."""


def test_titles_fit_their_place() -> None:
    titles = {rule.title for rule in RULES}
    for history in as_they_grew():
        titles |= {finding.title for finding in diagnose_history(history).findings}
    assert [title for title in titles if len(title) > LONGEST_TITLE] == []


def test_fractions_are_told_as_such() -> None:
    """What is said in per cent lies where a person expects it: a part of a whole, or a change."""
    for history in as_they_grew():
        for finding in diagnose_history(history).findings:
            for item in finding.evidence:
                assert item.unit is None or not abs(item.value) > 10, (finding.id, item)


@pytest.mark.parametrize("rule", CASES)
def test_silent_just_below(rule: str) -> None:
    assert rule not in ids(CASES[rule][1]())


def test_healthy_run_has_no_finding() -> None:
    diagnosis = diagnose_history(draw.healthy())
    assert diagnosis.findings == ()
    assert all({"config", "variable_std"} & set(i.needs)
               for i in diagnosis.not_evaluated)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_rule_tells_what_it_needs_without_data(rule) -> None:
    empty = RunHistory("empty")
    open_ = {item.id: item.needs for item in diagnose_history(empty).not_evaluated}
    assert rule.special or open_[rule.id]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_rule_is_documented(rule) -> None:
    assert rule.id == rule.id.lower()
    assert rule.references
    assert rule.falsified_by
    assert rule.title.strip(".") == rule.title


@pytest.mark.parametrize("length", [0, 1, 2, 4])
def test_short_runs_are_silent(length: int) -> None:
    assert ids(cut(draw.healthy(), length)) == []


def test_all_undefined_values_are_no_finding_about_numbers() -> None:
    base = draw.healthy()
    undefined = {
        group: replace(table, low=(v := np.full_like(table.low, np.nan)), high=v)
        for group, table in base.tables.items()
    }
    # A NaN loss is a NaN loss; every other statistic's NaN means "undefined" and accuses nobody.
    assert set(ids(replace(base, tables=undefined))) <= {"non-finite-values"}


@settings(max_examples=60, deadline=None)
@given(
    hnp.arrays(
        np.float32,
        (12, 3, 10),
        elements=st.floats(width=32, allow_nan=True, allow_infinity=True),
    )
)
def test_no_rule_fails_on_any_numbers(values: np.ndarray) -> None:
    base = cut(draw.healthy(), 12)
    table = base.tables["variables"]
    low = values[:, :, : len(table.columns)].astype(float)
    loss = low[:, 0, 0]
    history = replace(
        base,
        tables={
            **base.tables,
            "variables": replace(table, low=low, high=low),
            "run": draw.run_table(loss),
        },
    )
    with np.errstate(all="ignore"):
        diagnosis = diagnose_history(history)
    failed = [item for item in diagnosis.not_evaluated if "a fix" in item.needs[0]]
    assert failed == []
    json.dumps(as_json(diagnosis), allow_nan=False)


@pytest.mark.parametrize(
    "config",
    [
        {"model": 3, "loss": [], "optimizer": "SGD"},
        {"model": {"layers": [1, None, {"inputs": 5, "output_shape": "x", "rate": "high"}]}},
        {"model": {"layers": [{"name": "a", "class": "Dropout", "inputs": ["a"]},
                              {"name": "b", "class": "Dense", "inputs": ["a"]}]}},
        {"optimizer": {"class": ["SGD"], "clipnorm": "1", "learning_rate": {"class": "Cosine"}}},
    ],
)
def test_a_configuration_of_any_form_is_harmless(config: dict) -> None:
    diagnosis = diagnose_history(replace(targets(0, 1), config=config))
    assert not any("a fix" in item.needs[0] for item in diagnosis.not_evaluated)


def test_intervals_fire_only_where_they_prove_it() -> None:
    """A histogram that bounds mean |g| loosely must not be read as a vanished gradient."""
    base = deep(1e-6, "relu").tables["variables"]
    wide = np.array(base.low)
    index = base.columns.index("gradient_mean_abs")
    wide[:, 0, index] = 0.01
    wide[:, 1, index] = 0.01
    history = draw.history(replace(base, high=wide), draw.run_table(draw.flat()))
    assert "vanishing-gradient" not in ids(history)


def test_what_is_derived_is_remembered_with_one_history_only() -> None:
    history = draw.healthy()
    assert loss_trajectory(history) is loss_trajectory(history)
    shorter = history.until(50)
    assert len(loss_trajectory(shorter).steps) == 51
    assert loss_trajectory(replace(history, run="other")) is not loss_trajectory(history)


def test_medians_leave_out_what_is_undefined() -> None:
    values = np.array([[1.0, np.nan, np.nan], [3.0, 2.0, np.nan], [9.0, np.inf, np.nan]])
    np.testing.assert_array_equal(median_over_time(values), [3.0, 2.0, np.nan])
    assert np.isnan(median_over_time(np.zeros((0, 2)))).all()
