"""A custom loop with one call of ours: same weights, right numbers, whatever compiles the step."""

from __future__ import annotations

import gc
import logging
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import records

from tb_convergence import ConvergenceRecorder
from tb_convergence.training.loops import loop_run

tf = pytest.importorskip("tensorflow")

FEATURES, BATCH = 5, 16
MODES: dict[str, Callable[[Any], Any]] = {
    "eager": lambda step: step,
    "function": tf.function,
    "xla": lambda step: tf.function(step, jit_compile=True),
}


def batches(count: int, seed: int = 0) -> list[tuple[np.ndarray, np.ndarray]]:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(count, BATCH, FEATURES)).astype("float32")
    y = rng.normal(size=(count, BATCH, 2)).astype("float32")
    return list(zip(x, y, strict=True))


def network(keras: Any, seed: int = 3) -> Any:
    keras.utils.set_random_seed(seed)
    layers = keras.layers
    return keras.Sequential(
        [keras.Input((FEATURES,)), layers.Dense(6, "relu", name="hidden"),
         layers.Dense(2, name="out")]
    )


def train(
    model: Any, optimizer: Any, data: list[Any], mode: str, recorder: ConvergenceRecorder | None,
    spoil: Callable[[Any, Any], Any] = lambda gradients, x: gradients,
) -> list[np.ndarray]:
    """Weights after a training that does all it does with or without a recorder."""
    variables = model.trainable_variables

    def step(x: Any, y: Any) -> Any:
        with tf.GradientTape() as tape:
            outputs = model(x, training=True)
            loss = tf.reduce_mean(tf.square(outputs - y))
        gradients = spoil(tape.gradient(loss, variables), x)
        if recorder is None:
            optimizer.apply_gradients(zip(gradients, variables, strict=True))
        else:
            recorder.apply(
                optimizer, gradients, loss=loss, inputs=x, targets=y, outputs=outputs,
                activations={"out": outputs},
            )
        return loss

    run = MODES[mode](step)
    for x, y in data:
        run(x, y)
    return [np.array(weights) for weights in model.get_weights()]


OPTIMIZERS: dict[str, Callable[[Any], Any]] = {
    "adam": lambda keras: keras.optimizers.Adam(0.01),
    "clipped momentum": lambda keras: keras.optimizers.SGD(0.1, momentum=0.9, clipnorm=0.3),
}


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("mode", MODES)
def test_weights_are_the_same_bit_for_bit(
    keras: Any, tmp_path: Path, mode: str, optimizer: str
) -> None:
    make = OPTIMIZERS[optimizer]
    without = train(network(keras), make(keras), batches(14), mode, None)
    model = network(keras)
    with ConvergenceRecorder(tmp_path, model, every_n_steps=3) as recorder:
        observed = train(model, make(keras), batches(14), mode, recorder)
    assert recorder.disabled_reason is None
    for first, second in zip(without, observed, strict=True):
        np.testing.assert_array_equal(first, second, strict=True)
    steps = records.only(tmp_path).tables["variables"].steps.tolist()
    assert steps == [*range(10), 12], "the first ten, then the multiples of three"


@pytest.mark.parametrize("mode", MODES)
def test_every_number_against_the_closed_form(keras: Any, tmp_path: Path, mode: str) -> None:
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((FEATURES,)), keras.layers.Dense(2, name="only")])
    oracle = records.Regression(*model.get_weights(), rate=0.1)
    data = batches(4)
    with ConvergenceRecorder(tmp_path, model) as recorder:
        train(model, keras.optimizers.SGD(0.1), data, mode, recorder)
    history = records.only(tmp_path)
    assert [(row.layer, row.kind) for row in history.tables["variables"].rows] == [
        ("only", "kernel"), ("only", "bias"),
    ]
    for step, (x, y) in enumerate(data):
        records.assert_told(history, step, oracle.step(x, y))
        np.testing.assert_allclose(
            history.tables["inputs"].column("feature_mean")[step, :FEATURES],
            x.astype(np.float64).mean(axis=0), rtol=1e-5, atol=1e-7,
        )
        assert records.value(history, "run", "learning_rate", step) == pytest.approx(0.1)
    kinds = [row.kind for row in history.tables["inputs"].rows]
    assert kinds == ["input"] * FEATURES + ["target"] * 2 + ["prediction"] * 2
    assert history.config["batch_size"] == BATCH
    assert history.config["optimizer"]["learning_rate"] == pytest.approx(0.1)
    assert history.config["jit_compile"] is (mode == "xla")
    assert [layer["name"] for layer in history.config["model"]["layers"]] == ["only"]


@pytest.mark.parametrize("mode", MODES)
def test_an_update_written_by_hand(tmp_path: Path, mode: str) -> None:
    class Linear(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            rng = np.random.default_rng(1)
            self.scale = {"w": tf.Variable(rng.normal(size=(FEATURES, 2)), dtype=tf.float32)}
            self.b = tf.Variable(tf.zeros([2]))

    module = Linear()
    oracle = records.Regression(module.scale["w"].numpy(), module.b.numpy(), rate=0.05)
    recorder = ConvergenceRecorder(tmp_path, module)
    names = [variable.name for variable in module.trainable_variables]
    assert names == ["Variable:0", "Variable:0"]

    def descend(gradients: Any, variables: Any) -> None:
        for gradient, variable in zip(gradients, variables, strict=True):
            variable.assign_sub(0.05 * gradient)

    def step(x: Any, y: Any) -> None:
        with tf.GradientTape() as tape:
            error = tf.matmul(x, module.scale["w"]) + module.b - y
            loss = tf.reduce_mean(error**2)
        gradients = tape.gradient(loss, module.trainable_variables)
        if mode == "eager":
            recorder.apply(descend, gradients, loss=loss, learning_rate=0.05)
        else:
            with recorder.step(gradients, loss=loss, learning_rate=0.05):
                descend(gradients, module.trainable_variables)

    run = MODES[mode](step)
    data = batches(3)
    for x, y in data:
        run(x, y)
    recorder.close()
    assert recorder.disabled_reason is None
    history = records.only(tmp_path)
    rows = history.tables["variables"].rows
    kernel = next(index for index, row in enumerate(rows) if row.shape == (FEATURES, 2))
    assert (rows[kernel].name, rows[kernel].layer, rows[kernel].kind) == (
        "scale/w", "scale", "kernel"
    )
    for step_number, (x, y) in enumerate(data):
        records.assert_told(history, step_number, oracle.step(x, y), kernel)
    assert records.value(history, "run", "learning_rate", 0) == pytest.approx(0.05)
    np.testing.assert_allclose(module.b.numpy(), oracle.b, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("seed", range(3))
def test_the_step_of_a_planted_nan_is_told_exactly(
    keras: Any, tmp_path: Path, mode: str, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    planted = int(rng.integers(11, 55))
    data = batches(60)
    marked = data[planted][0].copy()
    marked[0, 0] = 1234.0  # the mark by which the step knows, inside the compiled function
    data[planted] = (marked, data[planted][1])

    def spoil(gradients: Any, x: Any) -> list[Any]:
        bad = tf.where(tf.reduce_any(tf.equal(x, 1234.0)), float("nan"), 0.0)
        return [*gradients[:-1], gradients[-1] + bad]

    model = network(keras)
    with ConvergenceRecorder(tmp_path, model, every_n_steps=50) as recorder:
        train(model, keras.optimizers.SGD(0.01), data, mode, recorder, spoil)
    history = records.only(tmp_path)
    table = history.tables["variables"]
    bad = table.column("gradient_nan_fraction")
    first = int(np.flatnonzero((bad > 0).any(axis=1))[0])
    assert table.steps[first] == planted
    names = [row.layer + "/" + row.kind for row in table.rows]
    assert [names[index] for index in np.flatnonzero(bad[first] > 0)] == ["out/bias"]
    assert records.value(history, "run", "first_nonfinite_age_steps", planted) == 0.0


def test_sparse_and_missing_gradients(tmp_path: Path) -> None:
    table = tf.Variable(tf.ones([7, 3]), name="words/embeddings")
    unused = tf.Variable([1.0, 2.0], name="unused/bias")
    recorder = ConvergenceRecorder(tmp_path, [table, unused])

    @tf.function
    def step(indices: Any) -> None:
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(tf.gather(table, indices) ** 2)
        gradients = tape.gradient(loss, [table, unused])
        assert isinstance(gradients[0], tf.IndexedSlices)
        assert gradients[1] is None
        with recorder.step(gradients, loss=loss):
            table.scatter_sub(tf.IndexedSlices(0.1 * gradients[0].values, gradients[0].indices))

    step([2, 2, 5])
    recorder.close()
    history = records.only(tmp_path)
    assert [(row.layer, row.kind) for row in history.tables["variables"].rows] == [
        ("words", "embedding"), ("unused", "bias"),
    ]
    # The row met twice has twice the gradient: 3 entries of 4 and 3 of 2.
    assert records.value(history, "variables", "gradient_norm", 0) == pytest.approx(60**0.5)
    assert records.value(history, "variables", "gradient_zero_fraction", 0) == pytest.approx(5 / 7)
    assert records.value(history, "variables", "gradient_missing", 0, 1) == 1.0
    assert np.isnan(records.value(history, "variables", "gradient_norm", 0, 1))


@pytest.mark.parametrize("loop", ["for over a data set", "while", "function in a function"])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_loop_inside_of_a_function_is_recorded_as_densely(
    keras: Any, tmp_path: Path, loop: str, optimizer: str
) -> None:
    data = batches(30)
    x, y = (np.stack([batch[index] for batch in data]) for index in (0, 1))
    model, chosen = network(keras), OPTIMIZERS[optimizer](keras)
    recorder = ConvergenceRecorder(tmp_path, model, every_n_steps=5)

    @tf.function
    def step(x: Any, y: Any) -> None:
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean((model(x) - y) ** 2)
        gradients = tape.gradient(loss, model.trainable_variables)
        recorder.apply(chosen, gradients, loss=loss)

    @tf.function
    def over_data() -> None:
        for batch, target in tf.data.Dataset.from_tensor_slices((x, y)):
            step(batch, target)

    @tf.function
    def counted() -> None:
        all_x, all_y = tf.constant(x), tf.constant(y)
        for index in tf.range(30):
            step(all_x[index], all_y[index])

    @tf.function
    def around(batch: Any, target: Any) -> None:
        step(batch, target)

    if loop == "function in a function":
        for batch, target in data:
            around(batch, target)
    else:
        (over_data if loop.startswith("for") else counted)()
    recorder.close()
    assert recorder.disabled_reason is None
    history = records.only(tmp_path)
    assert history.tables["run"].steps.tolist() == [*range(10), 10, 15, 20, 25]
    losses = history.tables["run"].column("window_loss_mean")[:, 0]
    assert np.isfinite(losses).all()
    assert history.tables["run"].column("window_steps").sum() == 26


def adversaries(keras: Any) -> tuple[Any, Any]:
    keras.utils.set_random_seed(9)
    generator = keras.Sequential(
        [keras.Input((3,)), keras.layers.Dense(FEATURES, "tanh", name="painter")]
    )
    critic = keras.Sequential([keras.Input((FEATURES,)), keras.layers.Dense(1, name="critic")])
    return generator, critic


def train_gan(keras: Any, recorders: list[ConvergenceRecorder] | None, models: Any) -> list[Any]:
    generator, critic = models
    optimizers = [keras.optimizers.Adam(1e-2), keras.optimizers.SGD(1e-1)]
    loss_of = keras.losses.BinaryCrossentropy(from_logits=True)

    @tf.function
    def step(noise: Any, real: Any) -> None:
        with tf.GradientTape(persistent=True) as tape:
            fake = generator(noise, training=True)
            judged = critic(fake, training=True)
            painting = loss_of(tf.ones_like(judged), judged)
            judging = loss_of(tf.ones_like(judged), critic(real, training=True)) + loss_of(
                tf.zeros_like(judged), judged
            )
        parts = zip(models, (painting, judging), optimizers, strict=True)
        for index, (model, loss, optimizer) in enumerate(parts):
            variables = model.trainable_variables
            gradients = tape.gradient(loss, variables)
            if recorders is None:
                optimizer.apply_gradients(zip(gradients, variables, strict=True))
            else:
                recorders[index].apply(optimizer, gradients, variables, loss=loss)

    rng = np.random.default_rng(2)
    for _ in range(12):
        noise, real = (rng.normal(size=(BATCH, width)) for width in (3, FEATURES))
        step(noise.astype("float32"), real.astype("float32"))
    return [weights for model in models for weights in model.get_weights()]


@pytest.mark.parametrize("layout", ["two runs", "one run", "one recorder"])
def test_two_models_with_two_optimizers(keras: Any, tmp_path: Path, layout: str) -> None:
    without = train_gan(keras, None, adversaries(keras))
    models = adversaries(keras)
    folders = ["painter", "critic"] if layout == "two runs" else ["gan", "gan"]
    if layout == "one recorder":
        recorders = [ConvergenceRecorder(tmp_path / "gan", models[0])] * 2
    else:
        recorders = [
            ConvergenceRecorder(tmp_path / folder, model, name=name)
            for folder, model, name in zip(folders, models, ("painter", "critic"), strict=True)
        ]
    observed = train_gan(keras, recorders, models)
    for recorder in recorders:
        recorder.close()
        assert recorder.disabled_reason is None
    for first, second in zip(without, observed, strict=True):
        np.testing.assert_array_equal(first, second, strict=True)
    histories = records.runs(tmp_path)
    assert sorted(histories) == sorted(set(folders))
    rows = [row for history in histories.values() for row in history.tables["variables"].rows]
    shapes = {row.shape for row in rows}
    assert shapes == {(3, FEATURES), (FEATURES,), (FEATURES, 1), (1,)}
    for history in histories.values():
        table = history.tables["variables"]
        assert table.steps.tolist()[:10] == list(range(10))
        assert np.isfinite(table.column("gradient_norm")).all()
        losses = history.tables["run"].column("loss")
        assert losses.shape[1] == (1 if layout == "two runs" else 2)
        assert np.isfinite(losses[:10]).all()


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("stage", ["before", "after", "turn", "write"])
def test_a_fault_of_ours_is_said_once_and_changes_nothing(
    keras: Any, tmp_path: Path, mode: str, stage: str,
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture,
) -> None:
    from tb_convergence.training.host import collector, writer  # noqa: PLC0415
    from tb_convergence.training.instep import recorder  # noqa: PLC0415

    target = {
        "before": (recorder.Recorder, "before"),
        "after": (recorder.Recorder, "after"),
        "turn": (collector.Collector, "look"),
        "write": (writer.RunWriter, "table"),
    }[stage]
    without = train(network(keras), keras.optimizers.Adam(), batches(4), mode, None)

    def fail(*args: object, **kwargs: object) -> None:
        raise RuntimeError("planted fault")

    monkeypatch.setattr(*target, fail)
    model = network(keras)
    with (
        caplog.at_level(logging.WARNING, logger="tb_convergence"),
        ConvergenceRecorder(tmp_path, model) as recorder_,
    ):
        observed = train(model, keras.optimizers.Adam(), batches(4), mode, recorder_)
    for first, second in zip(without, observed, strict=True):
        np.testing.assert_array_equal(first, second, strict=True)
    assert "planted fault" in str(recorder_.disabled_reason)
    assert len([record for record in caplog.records if record.name == "tb_convergence"]) == 1


def test_what_the_optimizer_raises_is_the_users_own(tmp_path: Path) -> None:
    variable = tf.Variable(1.0)

    def broken(gradients: Any, variables: Any) -> None:
        raise ZeroDivisionError("theirs")

    with ConvergenceRecorder(tmp_path, [variable]) as recorder:
        with pytest.raises(ZeroDivisionError, match="theirs"):
            recorder.apply(broken, [tf.constant(1.0)])
        with pytest.raises(ZeroDivisionError), recorder.step([tf.constant(1.0)]):
            raise ZeroDivisionError
        assert recorder.apply(lambda *_: "theirs", [tf.constant(1.0)]) == "theirs"


@pytest.mark.parametrize("mode", MODES)
def test_what_cannot_be_shown_makes_no_update_fail(
    tmp_path: Path, mode: str, caplog: pytest.LogCaptureFixture
) -> None:
    variable = tf.Variable(1.0)
    recorder = ConvergenceRecorder(tmp_path, [variable])

    def step(gradient: Any) -> None:
        def update(gradients: Any, variables: Any) -> None:
            variables[0].assign_sub(gradients[0])

        recorder.apply(update, [gradient], activations=[gradient])

    with caplog.at_level(logging.WARNING, logger="tb_convergence"):
        made = MODES[mode](step)
        for _ in range(3):
            made(tf.constant(1.0))
    assert variable.numpy() == -2.0
    assert "activations" in str(recorder.disabled_reason)
    assert len([record for record in caplog.records if record.name == "tb_convergence"]) == 1


def test_pairs_may_be_lists_and_counts_that_differ_are_refused(
    keras: Any, tmp_path: Path
) -> None:
    variables, gradients = [tf.Variable(1.0), tf.Variable(2.0)], [tf.constant(1.0)] * 2
    optimizer = keras.optimizers.SGD(1.0)
    with ConvergenceRecorder(tmp_path, variables) as recorder:
        recorder.apply(optimizer, [list(p) for p in zip(gradients, variables, strict=True)])
        assert [float(v.numpy()) for v in variables] == [0.0, 1.0]
        with pytest.raises(ValueError, match="1 gradients for 2 variables"):
            recorder.apply(optimizer, gradients[:1])


def test_lists_of_variables_are_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(loop_run, "MOST_LISTS", 2)
    made = [tf.Variable(0.0) for _ in range(5)]
    with (
        caplog.at_level(logging.WARNING, logger="tb_convergence"),
        ConvergenceRecorder(tmp_path, made) as recorder,
    ):
        for _ in range(2):
            for variable in made:
                with recorder.step([tf.constant(1.0)], [variable]):
                    variable.assign_add(1.0)
    assert [float(variable.numpy()) for variable in made] == [2.0] * 5
    assert recorder.disabled_reason is None
    assert len(caplog.records) == 1
    assert "the first 2 lists of variables" in caplog.text
    assert len(records.only(tmp_path).tables["run"].rows) == 2


def test_another_list_of_variables_is_another_part_of_the_run(keras: Any, tmp_path: Path) -> None:
    """A layer is thawed after six steps: its rows begin where it began to be trained."""
    model, optimizer = network(keras), keras.optimizers.SGD(0.01)
    with ConvergenceRecorder(tmp_path, model, every_n_steps=1) as recorder:
        model.get_layer("hidden").trainable = False
        train(model, optimizer, batches(6), "function", recorder)
        model.get_layer("hidden").trainable = True
        optimizer = keras.optimizers.SGD(0.01)
        optimizer.build(model.trainable_variables)
        optimizer.iterations.assign(6)
        train(model, optimizer, batches(5), "function", recorder)
    assert recorder.disabled_reason is None
    history = records.only(tmp_path)
    table = history.tables["variables"]
    assert table.steps.tolist() == list(range(11))
    norms = table.column("gradient_norm")
    for index, row in enumerate(table.rows):
        known = np.isfinite(norms[:, index])
        assert known.tolist() == [row.layer == "out"] * 6 + [True] * 5, row


PROGRAM = """
import sys
import tensorflow as tf
from tb_convergence import ConvergenceRecorder
v = tf.Variable([3.0, 4.0], name="only/w")
recorder = ConvergenceRecorder(sys.argv[1], [v], every_n_steps=7)
@tf.function(jit_compile=True)
def step():
    with recorder.step([v * 2.0], loss=tf.reduce_sum(v * v)):
        v.assign_sub(0.1 * v)
for _ in range(8):
    step()
"""


@pytest.mark.parametrize("end", ["", "\nraise KeyboardInterrupt", "\nimport sys; sys.exit(3)"])
def test_the_last_record_is_written_when_the_process_ends(tmp_path: Path, end: str) -> None:
    subprocess.run(
        [sys.executable, "-c", PROGRAM + end, str(tmp_path)], capture_output=True, check=False
    )
    history = records.only(tmp_path)
    assert history.tables["run"].steps.tolist() == list(range(8))
    assert records.value(history, "variables", "gradient_norm", 0) == 10.0


def test_a_recorder_nobody_holds_writes_its_last_record(tmp_path: Path) -> None:
    variable = tf.Variable([3.0, 4.0])

    def training() -> None:
        recorder = ConvergenceRecorder(tmp_path, [variable])
        recorder.apply(lambda *_: None, [variable * 2.0])

    training()
    gc.collect()
    assert records.only(tmp_path).tables["run"].steps.tolist() == [0]


def test_epochs_and_validation_reach_the_rules(tmp_path: Path) -> None:
    variable = tf.Variable([3.0, 4.0])
    with ConvergenceRecorder(tmp_path, [variable]) as recorder:
        for epoch in range(3):
            recorder.apply(lambda *_: None, [variable * 2.0], loss=1.0)
            recorder.epoch(loss=1.0 - epoch / 10, val_loss=2.0, accuracy=np.float32(0.5))
    history = records.only(tmp_path)
    assert history.tables["epoch"].column("epoch_loss")[:, 0].tolist() == pytest.approx(
        [1.0, 0.9, 0.8]
    )
    assert history.tables["epoch"].steps.tolist() == [0, 1, 2]
    assert history.tables["epoch"].column("metric/accuracy")[:, 0].tolist() == [0.5] * 3
    assert history.config["validation"] is True


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"log_dir": ""}, ValueError),
        ({"variables": 3}, TypeError),
        ({"overhead": 1.5}, ValueError),
        ({"every_n_steps": 0}, ValueError),
        ({"steps": 2.5}, ValueError),
        ({"first_step": -1}, ValueError),
        ({"first_step": 2.5}, ValueError),
        ({"first_step": "first"}, ValueError),
        ({"every_n_steps": float("inf")}, ValueError),
    ],
)
def test_wrong_arguments_are_refused_at_once(
    tmp_path: Path, arguments: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error):
        ConvergenceRecorder(**{"log_dir": tmp_path, "variables": [], **arguments})
