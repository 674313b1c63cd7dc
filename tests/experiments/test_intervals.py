"""What chance does to comparisons of three seeds, and to the best of many."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tb_convergence.experiments.ablation import Ablation, Effect
from tb_convergence.experiments.changes import CHANGES
from tb_convergence.experiments.intervals import T95, beyond_chance, outside, paired
from tb_convergence.experiments.proving import compared
from tb_convergence.experiments.sample import Sample
from tb_convergence.experiments.session import Subject
from tb_convergence.experiments.task import Task
from tb_convergence.experiments.trials import Trial

TASK = Task("classes", True, 4, "accuracy", 0.25)
CHANGED = [change for change in CHANGES if not change.control][:16]


def ablation(scores: np.ndarray, unchanged: np.ndarray) -> Ablation:
    """Of scores `[changes, seeds]`."""

    def trials(values: np.ndarray) -> tuple[Trial, ...]:
        return tuple(Trial(seed, float(value), np.nan, np.zeros(3), False, True)
                     for seed, value in enumerate(values))

    return Ablation(trials(unchanged), tuple(
        Effect(change, trials(row), paired(list(row), list(unchanged)))
        for change, row in zip(CHANGED, scores, strict=False)), (), TASK, 300)


@pytest.mark.parametrize("freedom", range(1, len(T95)))
def test_probabilities_are_students(freedom: int) -> None:
    assert outside(T95[freedom], freedom) == pytest.approx(0.05, abs=1e-4)


@given(st.floats(0.0, 50.0), st.integers(1, 12))
def test_probabilities_agree_with_the_density(t: float, freedom: int) -> None:
    x = np.linspace(0, t, 20001)
    density = (1 + x**2 / freedom) ** (-(freedom + 1) / 2)
    angle = np.linspace(0, np.pi / 2, 200001)  # the whole: substitute x = sqrt(n) tan(angle)
    whole = np.sqrt(freedom) * np.trapezoid(np.cos(angle) ** (freedom - 1), angle)
    assert outside(t, freedom) == pytest.approx(1 - np.trapezoid(density, x) / whole, abs=1e-4)


def test_the_best_of_many_that_do_nothing_is_no_change() -> None:
    """Of 16 changes without an effect one would seem to help in every third ablation."""
    random = np.random.default_rng(0)
    found = naive = 0
    for _ in range(400):
        result = ablation(random.normal(0.7, 0.03, (16, 3)), random.normal(0.7, 0.03, 3))
        found += result.best is not None
        naive += any(one.difference.helps for one in result.effects)
    assert naive > 80
    assert found < 0.06 * 400
    assert not any(one.outcome == "confirmed" for one in ablation(
        np.full((16, 3), 0.7), np.full(3, 0.7)).verdicts)


def test_a_change_that_makes_a_program_learn_is_found_among_many() -> None:
    random = np.random.default_rng(0)
    scores = random.normal(0.5, 0.03, (16, 3))
    scores[7] += 0.3
    result = ablation(scores, random.normal(0.5, 0.03, 3))
    assert result.best is not None
    assert result.best.change is CHANGED[7]
    assert result.helping == {CHANGED[7].id}
    assert [one["helps"] for one in result.record.data["effects"]] == [
        place == 7 for place in range(16)]


def test_equal_differences_of_one_sample_are_no_certainty() -> None:
    """Three times one more of 20 samples: the scores are rounded, so their equality says little."""
    assert paired([0.55] * 3, [0.5] * 3).helps
    assert not paired([0.55] * 3, [0.5] * 3, grain=1 / 20).helps
    assert paired([0.9] * 3, [0.5] * 3, grain=1 / 20).helps


def test_of_differences_that_are_all_certain_all_are_found() -> None:
    lost = paired([0.9] * 3, [-np.inf] * 3)
    assert beyond_chance([lost, paired([0.5, 0.6, 0.7], [0.6, 0.5, 0.7])]) == [True, False]
    assert beyond_chance([]) == []


@pytest.mark.parametrize(("judged", "right", "proven"), [(20, 2, False), (20, 5, True),
                                                         (1000, 5, False), (1000, 30, True)])
def test_a_few_samples_prove_nothing(judged: int, right: int, proven: bool) -> None:
    found = Subject(None, Sample(np.zeros((3, 1))), task=TASK)

    def trials(more: int) -> list[Trial]:
        return [Trial(seed, 0.0, np.nan, np.zeros(3), False, True, proof=0.5 + more / judged)
                for seed in range(3)]

    proof = compared(found, (CHANGED[0],), trials(0), trials(right), 300, True, judged)
    assert proof.proven is proven
