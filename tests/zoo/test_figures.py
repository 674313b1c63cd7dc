"""The zoo's arithmetic: intervals, what counts as an alarm, calibration, the table."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest

from tb_convergence.core.diagnosis import Finding
from zoo.calibration import brier, families_left_out, fit, logit
from zoo.figures import Figures, Share
from zoo.outcomes import finding, outcome
from zoo.tables import as_markdown, as_text, rows


@pytest.mark.parametrize(("hits", "total"), [(0, 1), (1, 1), (7, 9), (50, 100), (209, 210)])
def test_interval_is_wilsons(hits: int, total: int) -> None:
    theirs = binomtest(hits, total).proportion_ci(0.95, method="wilson")
    assert Share(hits, total).interval == pytest.approx((theirs.low, theirs.high), abs=6e-4)


def test_a_share_of_nothing_says_so() -> None:
    assert str(Share(0, 0)) == "none"
    assert np.isnan(Share(0, 0).value)


def test_first_is_the_first_cause_even_beneath_a_symptom() -> None:
    said = outcome(finding("zero-gradient", "symptom"), finding("dead-relu"))
    assert said.found_first
    assert said.found


def test_an_unexpected_cause_first_is_found_but_not_first_and_an_alarm() -> None:
    said = outcome(finding("poor-initialization"), finding("dead-relu", severity="info"))
    assert (said.found, said.found_first) == (True, False)
    assert [f.id for f in said.alarms] == ["poor-initialization"]


@pytest.mark.parametrize(
    "benign",
    [
        finding("poor-initialization", severity="info"),
        finding("poor-initialization", explained_by="dead-relu"),
        finding("zero-gradient", "symptom", "critical"),
    ],
    ids=["information", "explained", "symptom"],
)
def test_no_alarm_on_a_sick_run(benign: Finding) -> None:
    assert outcome(finding("dead-relu"), benign).alarms == ()


def test_what_is_also_true_is_no_alarm_and_no_hit() -> None:
    said = outcome(finding("poor-initialization"), also=("poor-initialization",))
    assert said.alarms == ()
    assert not said.found


def test_on_a_healthy_run_every_grave_finding_is_an_alarm() -> None:
    said = outcome(finding("overfitting", "symptom"), finding("too-few-steps", severity="info"),
                   sick=False)
    assert [f.id for f in said.alarms] == ["overfitting"]


def test_figures_count_sick_and_healthy_apart() -> None:
    figures = Figures.of(
        [
            outcome(finding("dead-relu"), step=10),
            outcome(finding("wrong-labels"), finding("dead-relu", severity="info"), step=30),
            outcome(),
            outcome(sick=False),
            outcome(finding("wrong-labels"), sick=False),
        ]
    )
    assert (figures.any.hits, figures.any.total) == (2, 3)
    assert (figures.grave.hits, figures.first.hits) == (1, 1)
    assert (figures.quiet.hits, figures.quiet.total) == (1, 2)
    assert figures.precise.hits == 2
    assert figures.early == pytest.approx(0.2)


def test_a_caution_is_never_asked_to_come_first() -> None:
    figures = Figures.of([outcome(expected="batch-norm-masks-gradients")])
    assert figures.any.total == 1
    assert figures.first.total == 0


def test_calibration_leaves_honest_confidence_alone_and_mends_boasting() -> None:
    rng = np.random.default_rng(3)
    truth = rng.uniform(0.05, 0.95, 4000)
    true = (rng.random(4000) < truth).astype(float)
    slope, shift = fit(truth, true)
    assert slope == pytest.approx(1, abs=0.1)
    assert shift == pytest.approx(0, abs=0.1)
    boast = 1 / (1 + np.exp(-(2 * logit(truth) + 1)))
    slope, shift = fit(boast, true)
    mended = 1 / (1 + np.exp(-(slope * logit(boast) + shift)))
    assert brier(mended, true) < brier(boast, true) - 0.005
    assert brier(mended, true) == pytest.approx(brier(truth, true), abs=0.002)


def test_a_family_is_judged_by_what_others_taught() -> None:
    # All of "layers" are right and stated at .6; the others, stated at .9, are wrong.
    good = [outcome(finding("dead-relu", confidence=0.6), seed=i) for i in range(40)]
    bad = [outcome(finding("wrong-labels", confidence=0.9), seed=i, family="data")
           for i in range(40)]
    table = families_left_out([*good, *bad])
    layers, _data, everything = table
    assert layers[0] == "layers"
    assert layers[5] == "0.160"
    # What "data" teaches is that confidence means nothing: applied here it must do worse.
    assert float(layers[6]) > 0.5
    assert everything[0] == "all"
    assert everything[4] == "80"


def test_the_table_has_one_row_per_program() -> None:
    listed = [
        outcome(finding("dead-relu"), step=5),
        outcome(finding("wrong-labels"), seed=1),
        outcome(finding("overfitting", "symptom"), sick=False),
        outcome(sick=False, seed=1),
    ]
    (row,) = rows(listed)
    assert row == ("one", "dead-relu", "1/2", "1/2", "wrong-labels", "overfitting",
                   "5, never of 100")
    assert as_text([row]).splitlines()[2].startswith("one   dead-relu")
    assert as_markdown([("a|b",)], ("x",)).splitlines()[2] == "| a\\|b |"
