"""`watch_every_step=False`: between two records the model trains by Keras' own function."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import programs
import pytest

from tb_convergence.core.diagnosis import diagnose_history
from tb_convergence.core.diagnosis.finding import Finding
from tb_convergence.core.history import RunHistory, Table, steps_since_record
from tb_convergence.keras import ConvergenceCallback
from tb_convergence.reading import open_logdir
from tb_convergence.reading.provider import read_folded
from tb_convergence.reading.runs import fold_runs
from tb_convergence.training.host.cadence import Cadence
from tb_convergence.training.keras.instrumented import Session
from tb_convergence.training.keras.patching import TrainFunction

EPOCHS, BATCHES = 12, programs.SAMPLES // programs.BATCH
STEPS, INTERVAL = EPOCHS * BATCHES, 7
RECORDED = [*range(10), *range(14, STEPS, INTERVAL), STEPS - 1]


def read(logdir: Path) -> RunHistory:
    with open_logdir(logdir, "python") as source:
        (run,) = fold_runs(source.runs())
        return read_folded(source, run)


def sparse(folder: Path, **settings: Any) -> ConvergenceCallback:
    return ConvergenceCallback(folder, watch_every_step=False, every_n_steps=INTERVAL, **settings)


def train_both(keras: Any, folder: Path, **settings: Any) -> tuple[Any, RunHistory]:
    """The model and its records, after its weights were held against those without us."""
    plain = programs.weights(programs.train(keras, "dense", [], epochs=EPOCHS, **settings))
    callback = sparse(folder)
    model = programs.train(keras, "dense", [callback], epochs=EPOCHS, **settings)
    same(plain, programs.weights(model))
    assert callback.disabled_reason is None
    return model, read(folder)


def same(first: list[Any], second: list[Any]) -> None:
    for expected, found in zip(first, second, strict=True):
        np.testing.assert_array_equal(found, expected, strict=True)


def recorded_unharmed(train: Callable[[list[Any]], Any], folder: Path) -> Table:
    """The run's records, after the weights of `train` were held against those without us."""
    callback = sparse(folder)
    same(programs.weights(train([])), programs.weights(train([callback])))
    assert callback.disabled_reason is None
    return read(folder).tables["run"]


def unwatched(run: Table) -> list[float]:
    return run.column("window_unwatched_steps")[:, 0].tolist()


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture) -> Iterator[Callable[[], list[str]]]:
    with caplog.at_level(logging.WARNING, logger="tb_convergence"):
        yield lambda: [r.getMessage() for r in caplog.records if r.name == "tb_convergence"]


# ---- which steps are observed -----------------------------------------------------------------


@pytest.mark.parametrize(
    "settings",
    [{}, {"compile_with": {"jit_compile": True}}, {"compile_with": {"run_eagerly": True}},
     {"dtype": "mixed_float16"}],
    ids=["graph", "xla", "eager", "loss scale"],
)
def test_only_what_is_recorded_is_observed(
    keras: Any, tmp_path: Path, settings: dict[str, Any], said: Any
) -> None:
    model, history = train_both(keras, tmp_path, **settings)
    run = history.tables["run"]
    assert run.steps.tolist() == RECORDED
    assert int(model.optimizer.iterations.numpy()) == STEPS
    assert run.column("window_steps")[:, 0].tolist() == [1.0] * len(RECORDED)
    assert unwatched(run) == [0.0, *(np.diff(RECORDED) - 1.0)]
    assert history.config["recorder"]["watch_every_step"] is False
    assert history.skipped == ()
    assert history.sampled is None, "no record is missing"
    assert said() == []


def test_records_are_those_of_a_training_that_is_watched(keras: Any, tmp_path: Path) -> None:
    """The same steps, the same numbers; only what is of the window differs."""
    _, history = train_both(keras, tmp_path / "sparse")
    programs.train(keras, "dense", [ConvergenceCallback(tmp_path / "all", every_n_steps=INTERVAL)],
                   epochs=EPOCHS)
    other = read(tmp_path / "all")
    for group in ("variables", "activations", "inputs", "run"):
        first, second = other.tables[group], history.tables[group]
        assert first.steps.tolist() == second.steps.tolist()
        for column in first.columns:
            if not column.startswith("window_"):
                np.testing.assert_array_equal(first.column(column), second.column(column), column)


def test_several_steps_an_execution(keras: Any, tmp_path: Path) -> None:
    """Three a call, four an epoch: every second call makes one step, and is not taken for three."""
    model, history = train_both(keras, tmp_path, compile_with={"steps_per_execution": 3})
    run = history.tables["run"]
    assert int(model.optimizer.iterations.numpy()) == STEPS
    assert run.steps.tolist() == [0, 3, 4, 7, 8, 11, *RECORDED[10:]]
    assert sum(unwatched(run)) > STEPS / 3
    np.testing.assert_array_equal(steps_since_record(run)[1:], np.diff(run.steps))


def test_accumulated_gradients(keras: Any, tmp_path: Path) -> None:
    """Of three batches only the last, which updates, is observed; the record is of all three."""

    def optimizer() -> Any:
        return keras.optimizers.Adam(1e-2, gradient_accumulation_steps=3)

    model, history = train_both(keras, tmp_path / "sparse", optimizer=optimizer)
    run = history.tables["run"]
    assert run.steps.tolist() == [*range(10), 14, STEPS // 3 - 1]
    assert int(model.optimizer.iterations.numpy()) == STEPS // 3
    assert unwatched(run)[1:] == [2.0] * 9 + [5 * 3 - 1.0, 2.0]
    watched = ConvergenceCallback(tmp_path / "all", every_n_steps=INTERVAL)
    programs.train(keras, "dense", [watched], epochs=EPOCHS, optimizer=optimizer)
    found, expected = (read(tmp_path / n).tables["variables"] for n in ("sparse", "all"))
    for column in ("gradient_norm", "update_norm"):
        np.testing.assert_array_equal(found.column(column), expected.column(column))


def test_steps_that_loss_scaling_skips_are_steps(keras: Any, tmp_path: Path) -> None:
    """The scale grows too large every third step, watched or not: the optimizer counts fewer."""

    def train(callbacks: list[Any]) -> Any:
        keras.utils.set_random_seed(1)
        inner = keras.optimizers.SGD(1e-3)
        optimizer = keras.optimizers.LossScaleOptimizer(
            inner, initial_scale=2.0**123, dynamic_growth_steps=2
        )
        model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
        model.compile(optimizer, "mse")
        x = np.random.default_rng(0).normal(size=(60, 3)).astype("float32")
        model.fit(x, 30 * x[:, :1], batch_size=1, verbose=0, shuffle=False, callbacks=callbacks)
        return model

    callback = sparse(tmp_path / "sparse")
    plain, observed = train([]), train([callback])
    same(programs.weights(plain), programs.weights(observed))
    assert callback.disabled_reason is None
    assert int(observed.optimizer.iterations.numpy()) < 50
    train([ConvergenceCallback(tmp_path / "all", every_n_steps=INTERVAL)])
    run, other = (read(tmp_path / name).tables["run"] for name in ("sparse", "all"))
    assert run.steps.tolist() == other.steps.tolist()
    np.testing.assert_array_equal(run.column("loss"), other.column("loss"))
    assert sum(unwatched(run)) > 30


class Traced:
    """Counts how often Python runs the train step of `model`: once per trace."""

    def __init__(self, keras: Any) -> None:
        self.traces = traces = []

        class Counted(keras.Sequential):
            def train_step(self, data: Any) -> Any:
                traces.append(data)
                return super().train_step(data)

        keras.utils.set_random_seed(1)
        self.model = Counted([keras.Input((3,)), keras.layers.Dense(2)])
        self.model.compile("sgd", "mse")

    def fit(self, steps: int, callbacks: list[Any], **settings: Any) -> None:
        x = np.random.default_rng(0).normal(size=(2 * steps, 3)).astype("float32")
        self.model.fit(x, x[:, :2], batch_size=2, verbose=0, callbacks=callbacks, **settings)


def test_the_plain_function_is_traced_when_it_is_needed(keras: Any, tmp_path: Path) -> None:
    short, long = Traced(keras), Traced(keras)
    short.fit(10, [sparse(tmp_path / "a")])
    long.fit(200, [sparse(tmp_path / "b")])
    watched = Traced(keras)
    watched.fit(200, [ConvergenceCallback(tmp_path / "c")])
    assert len(short.traces) == len(watched.traces)
    assert len(long.traces) == len(short.traces) + 1


def test_observed_calls_are_as_many_as_records(
    keras: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    for name in ("_look", "_passed"):
        original = getattr(Session, name)

        def counted(self: Any, *args: Any, _original: Any = original, _name: str = name) -> Any:
            calls.append(_name)
            return _original(self, *args)

        monkeypatch.setattr(Session, name, counted)
    timed: list[float] = []
    measure = Cadence.saw_record
    monkeypatch.setattr(
        Cadence, "saw_record", lambda *args: (timed.append(args[1]), measure(*args))
    )
    callback = ConvergenceCallback(tmp_path, watch_every_step=False, every_n_steps=100)
    Traced(keras).fit(1_000, [callback])
    assert callback.disabled_reason is None
    records = len(read(tmp_path).tables["run"].steps)
    assert records == 10 + 9 + 1
    assert calls.count("_look") == records
    assert len(timed) == records - 1, "all but the first, in front of which there was no step"
    assert calls.count("_passed") < 1_000 / 4, "of the others few are looked at, to time them"


def test_what_the_host_does_between_records_is_counted(
    keras: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted: list[float] = []
    monkeypatch.setattr(Cadence, "saw_look", lambda self, seconds: counted.append(seconds))
    Traced(keras).fit(200, [ConvergenceCallback(tmp_path, watch_every_step=False,
                                                every_n_steps=100)])
    assert len(counted) == 12
    assert counted[:2] == [0.0, 0.0], "every step so far was one of the records"
    assert 0 < counted[-1] < 1


# ---- trainings that change --------------------------------------------------------------------


def test_two_fits_in_a_row(keras: Any, tmp_path: Path) -> None:
    def train(callbacks: list[Any]) -> Any:
        traced = Traced(keras)
        for _ in range(2):
            traced.fit(31, callbacks)
        return traced.model

    run = recorded_unharmed(train, tmp_path)
    assert run.steps.tolist() == [*range(10), 14, 21, 28, 30, 31, 35, 42, 49, 56, 61]
    np.testing.assert_array_equal(steps_since_record(run)[1:], np.diff(run.steps))


def test_compiled_again_between_and_during(keras: Any, tmp_path: Path) -> None:
    class Again(keras.callbacks.Callback):
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            if epoch == 0:
                self.model.compile("adam", "mse")
                self.model.make_train_function()

    def train(callbacks: list[Any]) -> Any:
        traced = Traced(keras)
        traced.fit(17, [*callbacks, Again()], epochs=2)
        traced.model.compile(keras.optimizers.SGD(0.01), "mse")
        traced.fit(17, callbacks)
        return traced.model

    run = recorded_unharmed(train, tmp_path)
    assert run.steps[-1] == 3 * 17 - 1, "three optimizers that count from zero"
    assert {17, 33, 34, 50} <= set(run.steps.tolist())


def test_two_callbacks_see_all_or_nothing(keras: Any, tmp_path: Path) -> None:
    plain, traced = Traced(keras), Traced(keras)
    plain.fit(40, [])
    first, second = ConvergenceCallback(tmp_path / "a"), sparse(tmp_path / "b")
    traced.fit(40, [first, second])
    same(programs.weights(plain.model), programs.weights(traced.model))
    assert (first.disabled_reason, second.disabled_reason) == (None, None)
    assert read(tmp_path / "b").tables["run"].steps.tolist() == [*range(10), 14, 21, 28, 35, 39]


@pytest.mark.parametrize("execution", [1, 3])
def test_data_of_unknown_length(
    keras: Any, tmp_path: Path, execution: int, said: Any
) -> None:
    """The end of each epoch comes as an exception; its last execution is a short one."""

    def batches() -> Iterator[Any]:
        x = np.random.default_rng(0).normal(size=(16, 2, 3)).astype("float32")
        yield from ((batch, batch[:, :2]) for batch in x)

    def train(callbacks: list[Any]) -> Any:
        tf = pytest.importorskip("tensorflow")
        traced = Traced(keras)
        traced.model.compile("sgd", "mse", steps_per_execution=execution)
        spec = (tf.TensorSpec((None, 3)), tf.TensorSpec((None, 2)))
        data = tf.data.Dataset.from_generator(batches, output_signature=spec)
        with pytest.warns(UserWarning, match="ran out of data"):
            traced.model.fit(data, epochs=4, verbose=0, shuffle=False, callbacks=callbacks)
        return traced.model

    callback = sparse(tmp_path)
    plain, observed = train([]), train([callback])
    same(plain.get_weights(), observed.get_weights())
    assert callback.disabled_reason is None
    run = read(tmp_path).tables["run"]
    # A call that finds no data may yet be counted by the optimizer, before it fails.
    assert 64 - INTERVAL <= run.steps[-1] < int(observed.optimizer.iterations.numpy()) <= 68
    assert said() == []
    np.testing.assert_array_equal(steps_since_record(run)[1:], np.diff(run.steps))


def test_a_plain_function_that_cannot_be_made_ends_the_recording_alone(
    keras: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: Any
) -> None:
    def broken(_: TrainFunction) -> None:
        raise RuntimeError("no plain function")

    plain = programs.weights(programs.train(keras, "dense", [], epochs=EPOCHS))
    monkeypatch.setattr(TrainFunction, "plain", property(broken))
    callback = sparse(tmp_path)
    same(plain, programs.weights(programs.train(keras, "dense", [callback], epochs=EPOCHS)))
    assert callback.disabled_reason == "RuntimeError: no plain function"
    (line,) = said()
    assert "the training goes on unaffected" in line


def test_an_exception_of_the_users_step(keras: Any, tmp_path: Path) -> None:
    """It comes from a step that nobody observes, passes through, and leaves the model as it was."""
    tf = pytest.importorskip("tensorflow")
    x = np.ones((40, 3), "float32")
    x[25] = -1.0

    class Strict(keras.layers.Layer):
        def call(self, inputs: Any) -> Any:
            with tf.control_dependencies([tf.debugging.assert_positive(inputs)]):
                return tf.identity(inputs)

    model = keras.Sequential([keras.Input((3,)), Strict(), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    callback = sparse(tmp_path / "a")
    with pytest.raises(tf.errors.InvalidArgumentError):
        model.fit(x, x[:, :1], batch_size=1, verbose=0, shuffle=False, callbacks=[callback])
    assert callback.disabled_reason is None
    made = int(model.optimizer.iterations.numpy())
    assert made in (25, 26), "the update may come before the assertion"
    assert not hasattr(model.train_function, "_instead_of")
    again = sparse(tmp_path / "b")
    model.fit(abs(x), x[:, :1], batch_size=1, verbose=0, shuffle=False, callbacks=[again])
    assert read(tmp_path / "b").tables["run"].steps[[0, -1]].tolist() == [made, made + 39]
    callback.on_train_end()
    assert read(tmp_path / "a").tables["run"].steps[-1] == 21


# ---- where every step is watched after all ----------------------------------------------------


def seeded(keras: Any) -> Any:
    tf = pytest.importorskip("tensorflow")

    class Noise(keras.layers.Layer):
        def call(self, inputs: Any) -> Any:
            return inputs + tf.random.normal(tf.shape(inputs), stddev=0.1)

    model = keras.Sequential([keras.Input((12,)), Noise(), keras.layers.Dense(4)])
    model.compile("sgd", "mse")
    return model


def shared_optimizer(keras: Any) -> Any:
    tf = pytest.importorskip("tensorflow")

    class Halves(keras.Sequential):
        def train_step(self, data: Any) -> Any:
            x, y = data
            with tf.GradientTape(persistent=True) as tape:
                loss = self.compute_loss(x, y, self(x, training=True))
            for layer in self.layers:
                weights = layer.trainable_variables
                self.optimizer.apply(tape.gradient(loss, weights), weights)
            return {"loss": loss}

    model = Halves([keras.Input((12,)), keras.layers.Dense(3), keras.layers.Dense(4)])
    optimizer = keras.optimizers.SGD(0.01)
    optimizer.build(model.trainable_variables)
    model.compile(optimizer, "mse")
    return model


def scaled_executions(keras: Any) -> Any:
    model = keras.Sequential([keras.Input((12,)), keras.layers.Dense(4)])
    optimizer = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.01))
    model.compile(optimizer, "mse", steps_per_execution=2)
    return model


@pytest.mark.parametrize(
    ("build", "why"),
    [(seeded, "tf.random with a seed"), (shared_optimizer, "do not count one step"),
     (scaled_executions, "loss scaling skips steps")],
)
def test_where_it_cannot_be_done_soundly_every_step_is_watched(
    keras: Any, tmp_path: Path, build: Callable[[Any], Any], why: str, said: Any
) -> None:
    def train(callbacks: list[Any]) -> Any:
        keras.utils.set_random_seed(4)
        model = build(keras)
        x = np.random.default_rng(0).normal(size=(120, 12)).astype("float32")
        model.fit(x, x[:, :4], batch_size=4, verbose=0, callbacks=callbacks)
        return model

    callback = sparse(tmp_path)
    same(programs.weights(train([])), programs.weights(train([callback])))
    assert callback.disabled_reason is None
    (line,) = said()
    assert "watches every step" in line
    assert why in line
    history = read(tmp_path)
    run = history.tables["run"]
    assert run.steps[-1] >= 28
    assert not np.nan_to_num(run.column("window_unwatched_steps")).any()
    assert history.config["recorder"]["watch_every_step"] is True


def test_a_count_that_is_set_back_is_not_believed(keras: Any, tmp_path: Path, said: Any) -> None:
    class Back(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
            if batch == 25:
                self.model.optimizer.iterations.assign(0)

    traced = Traced(keras)
    traced.fit(40, [sparse(tmp_path), Back()])
    assert len(said()) == 1
    run = read(tmp_path).tables["run"]
    assert run.steps.tolist() == [*range(10), 14, 21, 28, 35, 39], "the calls are counted"


# ---- what is said of it -----------------------------------------------------------------------


def planted(keras: Any, folder: Path, forgiving: bool) -> Finding:
    """A NaN in the gradients at step 17 alone, between the records of 14 and 21."""
    tf = pytest.importorskip("tensorflow")

    class Forgiving(keras.optimizers.SGD):
        def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
            if forgiving:
                gradient = tf.where(tf.math.is_finite(gradient), gradient, 0.0)
            super().update_step(gradient, variable, learning_rate)

    x = np.random.default_rng(0).normal(size=(40, 3)).astype("float32")
    x[17 if not forgiving else [17, 21]] = np.nan
    model = keras.Sequential(
        [keras.Input((3,)), keras.layers.Dense(3, name="first"),
         keras.layers.Dense(1, name="last")]
    )
    model.compile(Forgiving(0.01), "mse")
    model.fit(x, np.ones((40, 1)), batch_size=1, verbose=0, shuffle=False,
              callbacks=[sparse(folder, inputs=False)])
    (found,) = [f for f in diagnose_history(read(folder)).findings if f.id == "non-finite-values"]
    return found


def test_a_nan_between_records_is_told_as_an_interval(keras: Any, tmp_path: Path) -> None:
    finding = planted(keras, tmp_path, forgiving=False)
    assert finding.first_step == 21
    assert "after step 14, at step 21 at the latest" in finding.summary
    assert "6 steps between were not observed" in finding.summary
    assert "not known" in finding.summary
    assert "first in" not in finding.summary, "the variables were bad before that step"
    assert "watch_every_step=True" in finding.advice[0]


def test_of_a_step_with_sound_variables_the_first_bad_tensor_is_named(
    keras: Any, tmp_path: Path
) -> None:
    finding = planted(keras, tmp_path, forgiving=True)
    assert "after step 14, at step 21 at the latest" in finding.summary
    assert "At step 21 it appears first in the output of first" in finding.summary


def test_a_nan_at_the_dense_beginning_is_exact(keras: Any, tmp_path: Path) -> None:
    x = np.random.default_rng(0).normal(size=(30, 3)).astype("float32")
    x[6] = np.nan
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1, name="only")])
    model.compile("sgd", "mse")
    model.fit(x, np.ones((30, 1)), batch_size=1, verbose=0, shuffle=False,
              callbacks=[sparse(tmp_path, inputs=False)])
    (finding,) = [
        f for f in diagnose_history(read(tmp_path)).findings if f.id == "non-finite-values"
    ]
    assert finding.summary == "NaN appeared first in the output of only, at step 6."
