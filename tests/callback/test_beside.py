"""Recording beside the training: what is known between records, and what is left of it after."""

from __future__ import annotations

import gc
import logging
import pickle
import threading
import warnings
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import programs
import pytest

from tb_convergence.core.history import RunHistory
from tb_convergence.keras import ConvergenceCallback
from tb_convergence.reading import open_logdir
from tb_convergence.reading.provider import read_folded
from tb_convergence.reading.runs import fold_runs
from tb_convergence.training.host import cadence, event_file
from tb_convergence.training.host.elapsed import Elapsed


def read(logdir: Path) -> RunHistory:
    with open_logdir(logdir, "python") as source:
        (run,) = fold_runs(source.runs())
        return read_folded(source, run)


def same(first: list[Any], second: list[Any]) -> None:
    for expected, found in zip(first, second, strict=True):
        np.testing.assert_array_equal(found, expected)


class Counted:
    """A small model that counts how often Python runs its train step: once per trace."""

    def __init__(self, keras: Any, **settings: Any) -> None:
        self.traces = traces = []

        class Model(keras.Sequential):
            def train_step(self, data: Any) -> Any:
                traces.append(data)
                return super().train_step(data)

        keras.utils.set_random_seed(1)
        self.model = Model([keras.Input((3,)), keras.layers.Dense(2), keras.layers.Dense(2)])
        self.model.compile("sgd", "mse", **settings)

    def fit(self, steps: int, callbacks: list[Any], **settings: Any) -> None:
        x = np.random.default_rng(0).normal(size=(2 * steps, 3)).astype("float32")
        self.model.fit(x, x[:, :2], batch_size=2, verbose=0, callbacks=callbacks, **settings)


# ---- between records --------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(4))
def test_a_hundred_planted_nans_of_a_hundred_are_dated(
    keras: Any, tmp_path: Path, seed: int
) -> None:
    """Each in a training of its own, at a random step, with every setting at its default."""
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, name="only")])
    model.compile("sgd", "mse")
    start = model.get_weights()
    rng = np.random.default_rng(seed)
    for number in range(25):
        step = int(rng.integers(0, 150))
        x = rng.normal(size=(2 * 160, 3)).astype("float32")
        x[2 * step + int(rng.integers(0, 2)), int(rng.integers(0, 3))] = np.nan
        model.set_weights(start)
        model.optimizer.iterations.assign(0)
        folder = tmp_path / str(number)
        callback = ConvergenceCallback(folder)
        model.fit(x, np.ones((320, 2)), batch_size=2, shuffle=False, verbose=0,
                  callbacks=[callback])
        assert callback.disabled_reason is None
        run = read(folder).tables["run"]
        age = run.column("first_nonfinite_age_steps")[:, 0]
        first = np.flatnonzero(np.isfinite(age))[0]
        assert run.steps[first] - age[first] == step


def test_a_nan_in_the_data_is_found_with_its_batch_within_an_epoch(
    keras: Any, tmp_path: Path
) -> None:
    counted = Counted(keras)
    x = np.random.default_rng(0).normal(size=(2 * 300, 3)).astype("float32")
    x[2 * 217] = np.nan
    counted.model.fit(x, x[:, 1:], batch_size=2, epochs=2, shuffle=False, verbose=0,
                      callbacks=[ConvergenceCallback(tmp_path, every_n_steps=100)])
    history = read(tmp_path)
    assert 217 not in history.tables["run"].steps, "only the search can find it"
    inputs = history.tables["inputs"]
    data = inputs.rows_of("input", "target")
    bad = inputs.column("feature_nan_fraction")[:, data].max(axis=1)
    assert inputs.steps[bad > 0].tolist()[:1] == [300 + 217]
    run = history.tables["run"]
    age = run.column("first_nonfinite_age_steps")[:, 0]
    first = np.flatnonzero(np.isfinite(age))[0]
    assert run.steps[first] - age[first] == 217


def test_the_first_step_is_recorded_where_it_makes_the_metrics(keras: Any, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(64, 3)).astype("float32"), rng.integers(0, 2, 64)
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, "softmax")])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(x, y, batch_size=8, verbose=0, callbacks=[ConvergenceCallback(tmp_path)])
    tables = read(tmp_path).tables
    assert tables["variables"].steps[0] == 0
    assert np.isfinite(tables["variables"].column("gradient_norm")[0]).all()


def test_losses_between_records_are_known(keras: Any, tmp_path: Path) -> None:
    tf = pytest.importorskip("tensorflow")
    losses: list[float] = []

    class Told(keras.Sequential):
        def compute_loss(self, *args: Any, **kwargs: Any) -> Any:
            loss = super().compute_loss(*args, **kwargs)
            tf.numpy_function(lambda value: losses.append(float(value)), [loss], [])
            return loss

    rng = np.random.default_rng(0)
    x, y = (rng.normal(size=(200, n)).astype("float32") for n in (3, 2))
    callback = ConvergenceCallback(tmp_path, every_n_steps=30)
    for kind, callbacks in ((Told, []), (keras.Sequential, [callback])):
        keras.utils.set_random_seed(1)
        model = kind([keras.Input((3,)), keras.layers.Dense(2)])
        model.compile(keras.optimizers.SGD(0.1), "mse")
        model.fit(x, y, batch_size=2, verbose=0, shuffle=False, callbacks=callbacks)
    losses = losses[-100:]  # the first are of building the model
    run = read(tmp_path).tables["run"]
    assert run.steps.tolist() == [*range(10), 30, 60, 90, 99]
    for place, (first, last) in enumerate(zip([10, 31, 61, 91], [30, 60, 90, 99], strict=True)):
        window = losses[first : last + 1]
        record = 10 + place
        assert run.column("window_loss_max")[record, 0] == pytest.approx(max(window), rel=1e-3)
        assert run.column("window_loss_min")[record, 0] == pytest.approx(min(window), rel=0.05)
        assert run.column("window_loss_mean")[record, 0] == pytest.approx(
            np.mean(window), rel=1e-3
        )
        assert run.column("window_loss_steps")[record, 0] == len(window)
        assert run.column("window_unwatched_steps")[record, 0] == last - first


def test_a_jump_of_the_loss_is_looked_at_closely(
    keras: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cadence.Cadence, "interval", property(lambda self: 500))
    monkeypatch.setattr(cadence, "FREE_SECONDS", 1e9)
    counted = Counted(keras)
    rng = np.random.default_rng(0)
    x, y = (rng.normal(size=(2 * 3_000, n)).astype("float32") for n in (3, 2))
    y[2 * 2_100 : 2 * 2_101] *= 50
    counted.model.fit(x, y, batch_size=2, shuffle=False, verbose=0,
                      callbacks=[ConvergenceCallback(tmp_path)])
    steps = read(tmp_path).tables["run"].steps
    assert len(steps[(steps > 1_600) & (steps < 2_000)]) <= 1
    after = steps[(steps >= 2_100) & (steps < 2_120)]
    assert len(after) >= 3
    assert np.diff(after)[:2].tolist() == [1, 2]


# ---- what others do ---------------------------------------------------------------------------


def unfrozen(keras: Any, callbacks: list[Any]) -> Any:
    """A layer is unfrozen when the first epoch begins, by a callback before ours."""
    traced = Counted(keras)
    traced.model.layers[0].trainable = False
    traced.model.compile("adam", "mse")
    thaw = keras.callbacks.LambdaCallback(
        on_epoch_begin=lambda epoch, logs: setattr(traced.model.layers[0], "trainable", True)
    )
    traced.fit(12, [thaw, *callbacks], epochs=2)
    return traced.model


def adapted(keras: Any, callbacks: list[Any]) -> Any:
    """Low-rank weights are added when the training begins, by a callback after ours."""
    traced = Counted(keras)
    begin = keras.callbacks.LambdaCallback(
        on_train_begin=lambda logs: traced.model.layers[0].enable_lora(2)
    )
    traced.fit(12, [*callbacks, begin], epochs=2)
    return traced.model


def frozen_between(keras: Any, callbacks: list[Any]) -> Any:
    """Frozen between two calls of fit, and never compiled again: Keras trains on as before."""
    traced = Counted(keras)
    for _ in range(2):
        traced.fit(12, callbacks)
        traced.model.layers[0].trainable = False
    return traced.model


def rate_between(keras: Any, callbacks: list[Any]) -> Any:
    keras.utils.set_random_seed(1)
    drop = keras.layers.Dropout(0.5, seed=1)
    dense = keras.layers.Dense
    model = keras.Sequential([keras.Input((3,)), dense(8), drop, dense(2)])
    model.compile("adam", "mse")
    x = np.ones((24, 3), "float32")
    for rate in (0.5, 0.0):
        drop.rate = rate
        model.fit(x, x[:, :2], batch_size=2, verbose=0, callbacks=callbacks)
    return model


def numerics_checked(keras: Any, callbacks: list[Any]) -> Any:
    tf = pytest.importorskip("tensorflow")
    tf.debugging.enable_check_numerics()
    try:
        traced = Counted(keras)
        traced.fit(12, callbacks)
        return traced.model
    finally:
        tf.debugging.disable_check_numerics()


def deterministic(keras: Any, callbacks: list[Any]) -> Any:
    config = pytest.importorskip("tensorflow.python.framework.config")
    config.enable_op_determinism()
    try:
        return rate_between(keras, callbacks)
    finally:
        config.disable_op_determinism()


def functions_run_eagerly(keras: Any, callbacks: list[Any]) -> Any:
    tf = pytest.importorskip("tensorflow")
    tf.config.run_functions_eagerly(True)
    try:
        with warnings.catch_warnings():  # TensorFlow says that data pipelines stay compiled
            warnings.simplefilter("ignore", UserWarning)
            return rate_between(keras, callbacks)
    finally:
        tf.config.run_functions_eagerly(False)


@pytest.mark.parametrize(
    "train",
    [
        unfrozen, adapted, frozen_between, rate_between, numerics_checked, deterministic,
        functions_run_eagerly,
    ],
)
def test_what_others_do_is_left_alone(
    keras: Any, tmp_path: Path, train: Callable[[Any, list[Any]], Any]
) -> None:
    callback = ConvergenceCallback(tmp_path)
    plain, recorded = train(keras, []), train(keras, [callback])
    assert callback.disabled_reason is None
    same(programs.weights(plain), programs.weights(recorded))
    assert read(tmp_path).tables["run"].steps[0] == 0


# ---- many trainings ---------------------------------------------------------------------------


def test_a_loop_of_fits_is_one_trace_one_run_and_one_file(
    keras: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("FREE_SETUP_SECONDS", "FREE_SECONDS"):
        monkeypatch.setattr(cadence, name, 1e9)  # however busy the machine is
    plain, recorded = Counted(keras), Counted(keras)
    callback = ConvergenceCallback(tmp_path)
    for _ in range(30):
        plain.fit(5, [])
        recorded.fit(5, [callback])
    assert callback.disabled_reason is None
    same(programs.weights(plain.model), programs.weights(recorded.model))
    assert len(recorded.traces) == len(plain.traces) + 1
    assert len(list(tmp_path.iterdir())) == 1
    steps = read(tmp_path).tables["run"].steps
    assert steps[:10].tolist() == list(range(10))
    assert steps[-1] > 100, "it goes on recording"


def test_a_new_callback_for_each_fit_traces_nothing_either(keras: Any, tmp_path: Path) -> None:
    recorded = Counted(keras)
    for number in range(5):
        recorded.fit(3, [ConvergenceCallback(tmp_path / str(number))])
    assert len(recorded.traces) <= 3
    assert read(tmp_path / "4").tables["run"].steps.tolist() == [12, 14]


def batches_of(sizes: list[int]) -> tuple[Any, list[float]]:
    """A data set of batches of these sizes, and the loss of each by a model that says 0."""
    tf = pytest.importorskip("tensorflow")
    rng = np.random.default_rng(1)
    batches = [
        (rng.normal(size=(n, 3)).astype("float32"), rng.gamma(1, 1, (n, 1)).astype("float32"))
        for n in sizes
    ]
    signature = tuple(tf.TensorSpec((None, width), tf.float32) for width in (3, 1))
    data = tf.data.Dataset.from_generator(lambda: iter(batches), output_signature=signature)
    data = data.apply(tf.data.experimental.assert_cardinality(len(sizes)))
    return data, [float(np.mean(np.square(y))) for _, y in batches]


SIZES: dict[str, list[int]] = {
    "alike": [8] * 40,
    "last smaller": [8] * 39 + [1],
    "of any size": np.random.default_rng(0).choice([1, 2, 4, 64], 40).tolist(),
    "first smaller": [3] + [8] * 39,
}


@pytest.mark.parametrize("kind", SIZES)
def test_no_loss_between_records_is_invented(keras: Any, tmp_path: Path, kind: str) -> None:
    """Whatever the sizes of batches."""
    data, losses = batches_of(SIZES[kind])
    model = keras.Sequential(
        [keras.Input((3,)), keras.layers.Dense(1, kernel_initializer="zeros")]
    )
    model.compile(keras.optimizers.SGD(0.0), "mse")
    callbacks = [ConvergenceCallback(tmp_path, every_n_steps=15)]
    model.fit(data, epochs=3, shuffle=False, verbose=0, callbacks=callbacks)
    run = read(tmp_path).tables["run"]
    for extreme in ("max", "min"):
        for told in run.column(f"window_loss_{extreme}").ravel():
            assert any(told == pytest.approx(loss, rel=0.05) for loss in losses)
    known = run.column("window_loss_steps").ravel()
    alone = known == 1
    np.testing.assert_allclose(
        run.column("window_loss_mean").ravel()[alone], run.column("loss").ravel()[alone], rtol=1e-3
    )
    if kind in ("alike", "last smaller"):
        assert known.sum() == run.steps[-1] + 1, "and none is left out where it is known"


def test_a_validation_is_no_part_of_the_time_of_steps(
    keras: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tb_convergence.training.keras import beside  # noqa: PLC0415 - needs TensorFlow

    clock = [0.0]
    monkeypatch.setattr(beside, "now", lambda: Elapsed.busy(clock[0]))

    class Validates(keras.callbacks.Callback):
        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            clock[0] += 1.0

        def on_test_begin(self, logs: Any = None) -> None:
            clock[0] += 1000.0

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            clock[0] += 1000.0

    took: list[float] = []

    class Noted(cadence.Cadence):
        def saw_steps(self, taken: Elapsed, steps: int = 1) -> None:
            took.append(taken.wall)
            super().saw_steps(taken, steps)

    monkeypatch.setattr(ConvergenceCallback, "_cadence", lambda self: Noted(every_n_steps=50))
    recorded = Counted(keras)
    callbacks = [Validates(), ConvergenceCallback(tmp_path)]
    x, y = np.ones((24, 3), "float32"), np.ones((24, 2), "float32")
    recorded.model.fit(
        x, y, batch_size=4, epochs=8, verbose=0, validation_data=(x, y), callbacks=callbacks
    )
    assert took
    assert max(took) <= 6.0


@pytest.mark.parametrize("settings", [{}, {"live": True}, {"trajectory": True}], ids=str)
def test_neither_model_nor_file_outlives_its_callback(
    keras: Any, tmp_path: Path, settings: dict[str, Any]
) -> None:
    def writing() -> int:
        return sum(thread.name == event_file.THREAD_NAME for thread in threading.enumerate())

    gc.collect()
    before, recorded = writing(), Counted(keras)
    callback = ConvergenceCallback(tmp_path, **settings)
    recorded.fit(2, [callback])
    gone = [weakref.ref(callback), weakref.ref(recorded.model)]
    assert writing() == before + 1
    del callback, recorded
    keras.backend.clear_session()
    gc.collect()
    assert [item() for item in gone] == [None, None]
    assert writing() == before


def test_a_copied_callback_has_no_path_of_the_original(keras: Any, tmp_path: Path) -> None:
    recorded, callback = Counted(keras), ConvergenceCallback(tmp_path, trajectory=True)
    recorded.fit(2, [callback])
    copied = pickle.loads(pickle.dumps(callback))  # the model of this test cannot be pickled
    Counted(keras).fit(3, [copied])
    assert copied.disabled_reason is None


def test_two_trainings_in_two_threads_restore_the_tape(keras: Any, tmp_path: Path) -> None:
    tf = pytest.importorskip("tensorflow")
    original = tf.GradientTape.gradient
    reasons = []

    class Own(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.dense = keras.layers.Dense(1)

        def call(self, x: Any) -> Any:
            return self.dense(x)

        def train_step(self, data: Any) -> Any:
            x, y = data
            with tf.GradientTape() as tape:
                loss = tf.reduce_mean((self(x) - y) ** 2)
            self.optimizer.apply(
                tape.gradient(loss, self.trainable_variables), self.trainable_variables
            )
            return {"loss": loss}

    def fit(number: int) -> None:
        model = Own()
        model.compile("sgd")
        x = np.ones((64, 4), "float32")
        callback = ConvergenceCallback(tmp_path / str(number))
        model.fit(x, x[:, :1], batch_size=4, verbose=0, callbacks=[callback])
        reasons.append(callback.disabled_reason)

    threads = [threading.Thread(target=fit, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert reasons == [None, None]
    assert tf.GradientTape.gradient is original
    for number in range(2):
        assert np.isfinite(read(tmp_path / str(number)).tables["run"].column("loss")).all()


def test_an_interruption_leaves_nothing_of_ours(keras: Any, tmp_path: Path) -> None:
    traced = Counted(keras)
    functions = []

    class Stop(keras.callbacks.Callback):
        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            functions.append(self.model.train_function)
            if batch == 4:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        traced.fit(10, [ConvergenceCallback(tmp_path), Stop()])
    assert len({id(function) for function in functions}) == 1
    assert traced.model.train_function is functions[0]
    assert functions[0].__module__.startswith("keras.")


# ---- steps that cannot be repeated ------------------------------------------------------------


def test_a_step_with_effects_is_not_repeated(
    keras: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    tf = pytest.importorskip("tensorflow")
    calls: list[int] = []

    class Effect(keras.layers.Layer):
        def call(self, x: Any) -> Any:
            tf.py_function(lambda: calls.append(1), [], [])
            return x

    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((3,)), Effect(), keras.layers.Dense(2, name="last")])
    model.compile("adam", "mse")
    x = np.random.default_rng(0).normal(size=(30, 3)).astype("float32")
    before = len(calls)
    callback = ConvergenceCallback(tmp_path, every_n_steps=5)
    with caplog.at_level(logging.WARNING, logger="tb_convergence"):
        model.fit(x, x[:, :2], batch_size=2, verbose=0, callbacks=[callback])
    assert callback.disabled_reason is None
    assert len(calls) - before == 15, "each step once"
    (line,) = [r.getMessage() for r in caplog.records if r.name == "tb_convergence"]
    assert "PyFunc" in line
    history = read(tmp_path)
    variables = history.tables["variables"]
    assert (variables.column("update_norm") > 0).all()
    assert np.isnan(variables.column("gradient_norm")).all()
    assert np.isfinite(history.tables["run"].column("loss")).all()


def test_a_model_that_nobody_built_is_recorded_from_its_first_step(
    keras: Any, tmp_path: Path
) -> None:
    class Own(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.hidden, self.out = keras.layers.Dense(4, "relu"), keras.layers.Dense(1)

        def call(self, x: Any) -> Any:
            return self.out(self.hidden(x))

    class OwnStep(Own):
        def train_step(self, data: Any) -> Any:
            tf = pytest.importorskip("tensorflow")
            x, y = data["x"], data["y"]
            with tf.GradientTape() as tape:
                loss = tf.reduce_mean((self(x, training=True) - y) ** 2)
            self.optimizer.apply(
                tape.gradient(loss, self.trainable_variables), self.trainable_variables
            )
            return {"loss": loss}

    x = np.random.default_rng(0).normal(size=(12, 3)).astype("float32")
    for kind, data in ((Own, (x, x[:, :1])), (OwnStep, ({"x": x, "y": x[:, :1]},))):
        model = kind()
        model.compile("adam", "mse")
        callback = ConvergenceCallback(tmp_path / kind.__name__)
        model.fit(*data, batch_size=2, verbose=0, callbacks=[callback])
        assert callback.disabled_reason is None
        table = read(tmp_path / kind.__name__).tables["variables"]
        assert table.steps[0] == 0
        assert (table.column("gradient_norm")[0] >= 0).all()
