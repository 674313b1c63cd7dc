"""Findings while training: told once, in time, at our own cost; stopping only where asked."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import records

from tb_convergence import ConvergenceRecorder
from tb_convergence.core.diagnosis import Finding, RunDiagnosis
from tb_convergence.core.schema import Row
from tb_convergence.keras import ConvergenceCallback
from tb_convergence.training.host import live as live_module
from tb_convergence.training.host import recent_history as kept_module
from tb_convergence.training.host.live import Live
from tb_convergence.training.host.recent_history import KeptHistory
from tb_convergence.training.host.writer import RunWriter, channel

tf = pytest.importorskip("tensorflow")

STEPS = 120


def fit(
    keras: Any, callbacks: list[Any], rate: float = 0.05, epochs: int = 6
) -> tuple[Any, list[float]]:
    """A regression that learns at 0.05 and blows up at 2; its model and its epochs' losses."""
    keras.utils.set_random_seed(5)
    rng = np.random.default_rng(5)
    x = rng.normal(size=(STEPS // 6 * 8, 6)).astype("float32")
    y = (x @ rng.normal(size=(6, 1)) + 0.1 * rng.normal(size=(len(x), 1))).astype("float32")
    layers = keras.layers
    model = keras.Sequential(
        [keras.Input((6,)), layers.Dense(12, "relu", name="hidden"), layers.Dense(1, name="out")]
    )
    model.compile(keras.optimizers.SGD(rate), "mse")
    history = model.fit(x, y, batch_size=8, epochs=epochs, verbose=0, callbacks=callbacks)
    return model, history.history["loss"]


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [r.getMessage() for r in caplog.records if r.name == "tb_convergence"]


def test_a_run_that_blows_up_is_told_and_stopped_where_asked(
    keras: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    found: list[Finding] = []
    callback = ConvergenceCallback(tmp_path / "run", on_finding=found.append, stop_on={"critical"})
    with caplog.at_level(logging.WARNING, logger="tb_convergence"):
        model, _ = fit(keras, [callback], rate=2.0)
    assert callback.disabled_reason is None
    assert any(finding.severity == "critical" for finding in found)
    assert int(model.optimizer.iterations.numpy()) < STEPS / 2
    told = [line for line in lines(caplog) if "because of stop_on" not in line]
    assert len(told) == len(found) + sum(": recovered: " in line for line in told)
    assert all(line.startswith("run, step ") for line in told)
    assert any(found[0].title in line and "Try: " in line for line in told)
    assert sum("because of stop_on" in line for line in lines(caplog)) == 1


def test_nothing_stops_a_training_by_default(keras: Any, tmp_path: Path) -> None:
    found: list[Finding] = []
    model, _ = fit(
        keras, [ConvergenceCallback(tmp_path, on_finding=found.append)], rate=2.0
    )
    assert found
    assert int(model.optimizer.iterations.numpy()) == STEPS


def test_a_healthy_training_is_left_in_peace_and_unchanged(
    keras: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    without, _ = fit(keras, [])
    found: list[Finding] = []
    with caplog.at_level(logging.WARNING, logger="tb_convergence"):
        observed, losses = fit(
            keras, [ConvergenceCallback(tmp_path, on_finding=found.append, stop_on={"critical"})]
        )
    assert losses[-1] < 0.5 * losses[0]
    assert (found, lines(caplog)) == ([], [])
    for first, second in zip(without.get_weights(), observed.get_weights(), strict=True):
        np.testing.assert_array_equal(first, second, strict=True)


def test_what_on_finding_raises_is_said_once(
    keras: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(finding: Finding) -> None:
        raise ZeroDivisionError("theirs")

    callback = ConvergenceCallback(tmp_path, on_finding=broken)
    with caplog.at_level(logging.WARNING, logger="tb_convergence"):
        model, _ = fit(keras, [callback], rate=2.0)
    assert callback.disabled_reason is None
    assert int(model.optimizer.iterations.numpy()) == STEPS
    assert sum("on_finding raised ZeroDivisionError: theirs" in line for line in lines(caplog)) == 1


def test_a_fault_of_the_diagnosis_costs_findings_not_records(
    keras: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("planted fault")

    monkeypatch.setattr(live_module, "diagnose_history", fail)
    callback = ConvergenceCallback(tmp_path, live=True, every_n_steps=1)
    with caplog.at_level(logging.WARNING, logger="tb_convergence"):
        fit(keras, [callback])
    assert callback.disabled_reason is None
    assert len(lines(caplog)) == 1
    assert "planted fault" in lines(caplog)[0]
    assert records.only(tmp_path).tables["run"].steps.tolist() == list(range(STEPS))


@pytest.mark.parametrize("compiled", [None, False, True])
def test_a_custom_loop_asks_whether_to_stop(tmp_path: Path, compiled: bool | None) -> None:
    variable = tf.Variable([1.0, 1.0], name="only/w")
    found: list[str] = []
    recorder = ConvergenceRecorder(
        tmp_path, [variable], on_finding=lambda finding: found.append(finding.id),
        stop_on={"non-finite-values"}, every_n_steps=100,
    )

    def step(number: Any) -> None:
        gradient = tf.where(number == 23, float("nan"), 1.0) * variable
        with recorder.step([gradient], loss=tf.reduce_sum(variable**2)):
            variable.assign_sub(0.01 * gradient)

    run = step if compiled is None else tf.function(step, jit_compile=compiled)
    made = 0
    for number in range(2000):
        if recorder.should_stop:
            break
        run(tf.constant(number))
        made += 1
        if compiled is not None and number == 30:
            recorder.flush()  # an unforeseen record is otherwise looked for once a second
    recorder.close()
    assert recorder.disabled_reason is None
    assert "non-finite-values" in found
    assert recorder.should_stop is True
    assert made < 2000


# ---- the parts by themselves -------------------------------------------------------------------

RUN = channel("run", (Row("run", "", "run"),), ("loss", "window_steps"))


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def feed(live: Live, step: int, loss: float = 1.0) -> None:
    live.record(RUN.content, np.array([[loss, 1.0]], np.float32), step, float(step))


def finding(**changes: Any) -> Finding:
    settings: dict[str, Any] = {
        "id": "dead-relu", "kind": "cause", "severity": "warning", "confidence": 0.8,
        "title": "ReLU units are dead", "summary": "Half of them.", "first_step": 3,
        "last_step": 9, "advice": ("Lower the rate.",),
    }
    return Finding(**{**settings, **changes})


def test_looks_come_at_growing_intervals(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    monkeypatch.setattr(
        live_module, "diagnose_history",
        lambda history: seen.append(history.last_step) or RunDiagnosis("r", 0, (), (), ()),
    )
    live = Live("logs/run", clock=Clock())
    for step in range(1000):
        feed(live, step)
        live.look()
    gaps = np.diff(seen)
    assert len(seen) < 30
    assert (gaps[1:] >= gaps[:-1] - 1).all()
    assert seen[0] == live_module.FIRST_LOOK - 1
    assert gaps[-1] >= 0.2 * seen[-2]


def test_looks_beyond_the_free_second_stay_within_the_share(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock, looks = Clock(), []

    def slow(history: Any) -> RunDiagnosis:
        looks.append(clock.now)
        clock.now += 0.4
        return RunDiagnosis("r", history.last_step, (), (), ())

    monkeypatch.setattr(live_module, "diagnose_history", slow)
    live = Live("logs/run", overhead=0.01, clock=clock)
    for step in range(2000):
        clock.now += 0.1
        feed(live, step)
        seconds = live.look()
        assert seconds == pytest.approx(0.4) or seconds == 0.0
        assert live.owed() == seconds, "every look is counted once by the cadence"
    assert len(looks) * 0.4 <= live_module.FREE_SECONDS + 0.01 * clock.now
    assert len(looks) >= 3


def test_a_finding_that_comes_and_goes_is_two_lines(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    present: list[Finding] = []
    monkeypatch.setattr(
        live_module, "diagnose_history",
        lambda history: RunDiagnosis("r", history.last_step, tuple(present), (), ()),
    )
    told: list[Finding] = []
    live = Live("logs/run7", on_finding=told.append, clock=Clock())
    with caplog.at_level(logging.WARNING, logger="tb_convergence"):
        for step in range(600):
            present[:] = [finding()] if 50 <= step < 250 else []
            feed(live, step)
            live.look()
    assert told == [finding()]
    first, second = lines(caplog)
    assert first.startswith("run7, step ")
    assert "ReLU units are dead (warning, 80% sure, since step 3). Half of them." in first
    assert first.endswith("Try: Lower the rate.")
    assert second.endswith("recovered: ReLU units are dead")


def test_what_a_cause_explains_and_what_is_a_note_is_not_told(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    found = (
        finding(severity="info", id="too-few-steps"),
        finding(id="vanishing-gradient", kind="symptom", explained_by="dead-relu"),
    )
    monkeypatch.setattr(
        live_module, "diagnose_history",
        lambda history: RunDiagnosis("r", history.last_step, found, (), ()),
    )
    live = Live("run", stop_on=(), clock=Clock())
    for step in range(100):
        feed(live, step)
        live.look()
    assert lines(caplog) == []


def test_the_history_kept_is_the_history_read(keras: Any, tmp_path: Path) -> None:
    """The same tables as a reader finds in the file, in every number."""
    kept: list[KeptHistory] = []

    class Spy(ConvergenceCallback):
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            super().on_epoch_end(epoch, logs)
            kept[:] = [self._writer.live._history]

    fit(keras, [Spy(tmp_path, live=True)])
    (memory,) = kept[0].histories().values()
    history = records.only(tmp_path)
    assert memory.config == history.config
    assert memory.tables.keys() == history.tables.keys()
    for group, table in history.tables.items():
        mine = memory.tables[group]
        assert (mine.rows, mine.columns) == (table.rows, table.columns)
        np.testing.assert_array_equal(mine.steps, table.steps)
        np.testing.assert_array_equal(mine.low, table.low)


def test_memory_is_bounded_and_says_what_it_forgot() -> None:
    kept = KeptHistory("r")
    for step in range(5000):
        kept.add(RUN.content, np.array([[step, 1.0]], np.float32), step, float(step))
    (history,) = kept.histories().values()
    table = history.tables["run"]
    assert len(table.steps) <= kept_module.MOST_RECORDS
    assert table.total == 5000
    assert table.steps[:10].tolist() == list(range(10))
    assert table.steps[-5:].tolist() == list(range(4995, 5000))
    np.testing.assert_array_equal(table.column("loss")[:, 0], table.steps)


def test_a_training_that_is_resumed_replaces_its_later_records() -> None:
    kept = KeptHistory("r")
    for step in [*range(10), 6, 7]:
        kept.add(RUN.content, np.array([[step, 1.0]], np.float32), step, 0.0)
    (history,) = kept.histories().values()
    assert history.tables["run"].steps.tolist() == list(range(8))


def test_a_column_that_comes_later_is_undefined_before(tmp_path: Path) -> None:
    kept = KeptHistory("r")
    rows = (Row("run", "", "run"),)
    kept.add(channel("epoch", rows, ("a",)).content, np.array([[1.0]], np.float32), 0, 0.0)
    kept.add(channel("epoch", rows, ("a", "b")).content, np.array([[2.0, 3.0]], "f4"), 1, 0.0)
    (history,) = kept.histories().values()
    np.testing.assert_array_equal(
        history.tables["epoch"].low[:, 0], [[1.0, np.nan], [2.0, 3.0]]
    )


def test_the_writer_shows_all_it_writes(tmp_path: Path) -> None:
    live = Live("run")
    writer = RunWriter(str(tmp_path))
    writer.live = live
    writer.table(RUN, np.array([[1.0, 2.0]], np.float32), 4)
    writer.config({"schema": 1, "loss": None}, 0)
    writer.close()
    (history,) = live._history.histories().values()
    assert history.tables["run"].column("loss")[:, 0].tolist() == [1.0]
    assert history.config == {"schema": 1, "loss": None}


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        ({"on_finding": 3}, TypeError, "on_finding is 3"),
        ({"stop_on": "critical"}, TypeError, "expected a set"),
        ({"stop_on": {"fatal"}}, ValueError, "'fatal'"),
    ],
)
def test_wrong_arguments_are_refused_at_once(
    keras: Any, tmp_path: Path, arguments: Any, error: type[Exception], text: str
) -> None:
    with pytest.raises(error, match=text):
        ConvergenceCallback(tmp_path, **arguments)
    with pytest.raises(error, match=text):
        ConvergenceRecorder(tmp_path, [], **arguments)
