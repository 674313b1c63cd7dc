"""Which steps are recorded: dense at first, then as often as the budget allows, and bounded."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tb_convergence.training.host.cadence import DENSE_STEPS, Cadence
from tb_convergence.training.host.elapsed import Elapsed


def schedule(cadence: Cadence, last: int, step: float, record: float) -> list[int]:
    """Recorded steps of a training up to `last`, with these constant durations in seconds."""
    recorded, now = [0], 0
    cadence.saw_record(Elapsed.busy(step + record))
    while True:
        following = cadence.next_step(now)
        if following > last:
            return recorded
        for _ in range(min(following - now - 1, 20)):
            cadence.saw_steps(Elapsed.busy(step))
        cadence.saw_record(Elapsed.busy(step + record))
        recorded.append(following)
        now = following


def test_the_first_steps_are_all_recorded() -> None:
    assert schedule(Cadence(), 12, step=1e-3, record=1.0)[:DENSE_STEPS] == list(range(DENSE_STEPS))


@pytest.mark.parametrize("every", [1, 7, 50])
def test_a_fixed_interval_gives_its_multiples(every: int) -> None:
    recorded = schedule(Cadence(every_n_steps=every), 400, step=1e-3, record=1.0)
    multiples = {step for step in range(401) if step % every == 0}
    assert set(recorded) == multiples | set(range(DENSE_STEPS))


def test_a_fixed_interval_is_not_stretched() -> None:
    assert len(schedule(Cadence(every_n_steps=1), 5000, step=1e-3, record=1.0)) == 5001


@given(
    step=st.floats(1e-5, 10), record=st.floats(0, 10), overhead=st.floats(1e-3, 0.5)
)
def test_records_cost_no_more_than_the_budget(step: float, record: float, overhead: float) -> None:
    cadence = Cadence(overhead)
    recorded = schedule(cadence, 200_000, step, record)
    steady = [step for step in recorded if step >= 20 * DENSE_STEPS]
    assume(len(steady) > 2)
    steps = steady[-1] - steady[0]
    assert (len(steady) - 1) * record <= overhead * steps * step * 1.01 + 1e-9


@pytest.mark.parametrize(("steps", "at_least"), [(160, 120), (500, 150), (5_000, 150)])
def test_a_short_training_is_recorded_finely_and_evenly(steps: int, at_least: int) -> None:
    """Steps of 1 ms, records of 4 ms: one percent would allow one record in four hundred steps."""
    cadence = Cadence(0.01)
    cadence.expect(0, steps)
    recorded = schedule(cadence, steps - 1, step=1e-3, record=4e-3)
    assert len(recorded) >= at_least
    assert len(recorded) * 4e-3 <= 1.2 + 0.01 * steps * 1e-3
    gaps = [later - earlier for earlier, later in pairwise(recorded[DENSE_STEPS + 2 :])]
    assert max(gaps) <= 2 * max(1, min(gaps)) + 1


@given(last=st.integers(10, 10**9), known=st.booleans())
def test_the_number_of_records_is_bounded(last: int, known: bool) -> None:
    cadence = Cadence()
    if known:
        cadence.expect(0, last + 1)
    recorded = schedule(cadence, last, step=1.0, record=0.0)
    assert len(recorded) <= 2_000
    assert all(earlier < later for earlier, later in pairwise(recorded))


def test_the_last_step_of_a_known_training_is_recorded() -> None:
    cadence = Cadence()
    cadence.expect(0, 1000)
    assert schedule(cadence, 5000, step=1.0, record=1.0)[-1] >= 999
    assert 999 in schedule(cadence, 5000, step=1.0, record=1.0)


def test_a_training_that_goes_beyond_what_was_expected_is_recorded_on() -> None:
    cadence = Cadence(every_n_steps=100)
    cadence.expect(0, 50)
    assert cadence.next_step(10) == 49
    assert cadence.next_step(49) == 100


def test_a_step_is_never_scheduled_twice_or_in_the_past() -> None:
    cadence = Cadence(every_n_steps=3)
    cadence.expect(100, 7)
    assert [cadence.next_step(step) for step in (100, 102, 105, 106, 107)] == [
        102, 105, 106, 108, 108,
    ]


def test_costs_are_told_from_steps_once_both_are_known() -> None:
    cadence = Cadence(0.01)
    for _ in range(DENSE_STEPS):
        cadence.saw_record(Elapsed.busy(3e-3))
    assert cadence.interval == DENSE_STEPS, "nothing to compare with yet"
    for _ in range(9):
        cadence.saw_steps(Elapsed.busy(1e-3))
    assert cadence.record_seconds == pytest.approx(2e-3)
    assert cadence.interval == 200
    assert cadence.measured_overhead == pytest.approx(0.01)


def test_several_steps_an_execution_share_its_time() -> None:
    cadence = Cadence(0.01)
    for _ in range(9):
        cadence.saw_steps(Elapsed.busy(10e-3), steps=10)
        cadence.saw_record(Elapsed.busy(12e-3), steps=10)
    assert cadence.step_seconds == pytest.approx(1e-3)
    assert cadence.record_seconds == pytest.approx(2e-3)


def test_a_single_slow_step_changes_nothing() -> None:
    cadence = Cadence(0.01)
    for seconds in [1e-3] * 8 + [100.0]:
        cadence.saw_steps(Elapsed.busy(seconds))
        cadence.saw_record(Elapsed.busy(seconds + 1e-3))
    assert cadence.interval == 100


def test_a_training_of_unknown_length_keeps_some_of_the_free_second() -> None:
    """Steps of 1 ms, records of 4 ms: fine at first, ever sparser, never more than the second."""
    cadence = Cadence(0.01)
    cadence.expect_more(0)
    recorded = schedule(cadence, 100_000, step=1e-3, record=4e-3)
    gaps = [after - before for before, after in pairwise(recorded) if before >= DENSE_STEPS]
    assert len([step for step in recorded if step < 200]) > 80
    assert len([step for step in recorded if 1_000 <= step < 10_000]) > 10
    assert gaps == sorted(gaps)
    assert len(recorded) * 4e-3 <= 1.2 + 0.01 * 100_000 * 1e-3


def test_what_a_diagnosis_takes_is_paid_by_fewer_records() -> None:
    """Ten records of 10 ms beside steps of 100 ms; looks of half a second in all: 50 ms each."""
    cadence = Cadence(0.01)
    for _ in range(10):
        cadence.saw_steps(Elapsed.busy(0.1))
        cadence.saw_record(Elapsed.busy(0.11))
    assert cadence.interval == 10
    cadence.saw_look(Elapsed.busy(0.5))
    assert cadence.interval == 60


@pytest.mark.parametrize("processor", [True, False])
def test_the_clock_that_says_more_decides(processor: bool) -> None:
    """A step on one thread; a record that is quick by the wall clock, on four threads."""
    cadence = Cadence(0.01, processor=processor)
    for _ in range(9):
        cadence.saw_steps(Elapsed(wall=0.1, processor=0.1))
        cadence.saw_record(Elapsed(wall=0.15, processor=0.3))
    assert cadence.interval == (200 if processor else 50)
    assert cadence.measured_overhead == pytest.approx(0.01)


def test_waiting_counts_though_no_processor_works() -> None:
    cadence = Cadence(0.01)
    for _ in range(9):
        cadence.saw_steps(Elapsed.busy(0.1))
        cadence.saw_record(Elapsed(wall=0.3, processor=0.1))
    assert cadence.interval == 200


@given(
    steps=st.tuples(st.floats(1e-3, 1), st.floats(1e-3, 1)),
    record=st.tuples(st.floats(0, 5), st.floats(0, 5)),
)
def test_neither_clock_exceeds_the_budget(
    steps: tuple[float, float], record: tuple[float, float]
) -> None:
    cadence = Cadence(0.01)
    for _ in range(9):
        cadence.saw_steps(Elapsed(*steps))
        cadence.saw_record(Elapsed(steps[0] + record[0], steps[1] + record[1]))
    for step, added in zip(steps, record, strict=True):
        assert added <= 0.01 * cadence.interval * step * 1.001 + 1e-9


def test_a_processor_clock_that_ticks_slowly_does_not_end_the_records() -> None:
    """As on Windows: steps of 1 ms, ticks of 16 ms."""
    cadence = Cadence(0.01)
    for number in range(30):
        tick = 16e-3 if number % 8 == 3 else 0.0
        cadence.saw_steps(Elapsed(wall=1e-3, processor=tick))
        cadence.saw_record(Elapsed(wall=3e-3, processor=tick))
    assert 200 <= cadence.interval < 2_000
