"""What is in the event file, against numbers computed apart: NumPy in float64, and plain tapes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import programs
import pytest

from tb_convergence.core.diagnosis import diagnose_history
from tb_convergence.core.diagnosis.configuration import configuration
from tb_convergence.core.history import RunHistory
from tb_convergence.core.regularization import gradient_norm
from tb_convergence.keras import ConvergenceCallback
from tb_convergence.reading import open_logdir
from tb_convergence.reading.provider import read_folded
from tb_convergence.reading.runs import fold_runs


def read(logdir: Path, loader: str = "python") -> RunHistory:
    with open_logdir(logdir, loader) as source:
        (run,) = fold_runs(source.runs())
        return read_folded(source, run)


def linear(keras: Any) -> tuple[Any, np.ndarray, np.ndarray]:
    """A linear regression: its gradient is known in closed form."""
    rng = np.random.default_rng(3)
    x = rng.normal(size=(8, 3)).astype("float32")
    y = rng.normal(size=(8, 2)).astype("float32")
    keras.utils.set_random_seed(4)
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, name="only")])
    model.compile(keras.optimizers.SGD(0.1), "mse")
    return model, x, y


@pytest.mark.parametrize("jit_compile", [False, True])
def test_one_step_against_the_closed_form(
    keras: Any, tmp_path: Path, jit_compile: bool
) -> None:
    model, x, y = linear(keras)
    model.compile(keras.optimizers.SGD(0.1), "mse", jit_compile=jit_compile)
    w, b = (value.astype(np.float64) for value in model.get_weights())
    model.fit(x, y, batch_size=8, epochs=3, verbose=0, shuffle=False,
              callbacks=[ConvergenceCallback(tmp_path)])
    history = read(tmp_path)
    table = history.tables["variables"]
    assert [row.name.split("/", 1)[-1] for row in table.rows] == ["only/kernel", "only/bias"] or [
        row.kind for row in table.rows
    ] == ["kernel", "bias"]
    for step in range(3):
        error = x.astype(np.float64) @ w + b - y
        loss = np.mean(error**2)
        gradients = (2 * x.T.astype(np.float64) @ error / error.size, 2 * error.sum(0) / error.size)
        for row, (value, gradient) in enumerate(zip((w, b), gradients, strict=True)):
            expected = {
                "gradient_norm": np.linalg.norm(gradient),
                "gradient_max": np.abs(gradient).max(),
                "gradient_mean_abs": np.abs(gradient).mean(),
                "gradient_zero_fraction": 0.0,
                "gradient_nan_fraction": 0.0,
                "gradient_inf_fraction": 0.0,
                "gradient_missing": 0.0,
                "variable_norm": np.linalg.norm(value),
                "variable_mean": value.mean(),
                "variable_std": value.std(),
                "update_norm": 0.1 * np.linalg.norm(gradient),
                "gradient_kurtosis": np.mean(gradient**4) / np.mean(gradient**2) ** 2,
                "effective_rate": 0.1,
            }
            if np.any(value):
                norm = np.linalg.norm(value)
                expected["update_ratio"] = 0.1 * np.linalg.norm(gradient) / norm
                expected["gradient_zero_fraction"] = 0.0
            else:
                expected["variable_norm"] = 0.0
                assert np.isnan(table.column("update_ratio")[step, row])
            for name, number in expected.items():
                if name == "gradient_zero_fraction" and not np.any(gradient):
                    continue
                observed = table.column(name)[step, row]
                assert observed == pytest.approx(number, rel=2e-5, abs=1e-7), (name, step, row)
        run = history.tables["run"]
        assert run.column("loss")[step, 0] == pytest.approx(loss, rel=1e-5)
        assert run.column("learning_rate")[step, 0] == pytest.approx(0.1, rel=1e-6)
        total = np.sqrt(sum(np.sum(g**2) for g in gradients))
        assert run.column("gradient_global_norm")[step, 0] == pytest.approx(total, rel=1e-5)
        w, b = w - 0.1 * gradients[0], b - 0.1 * gradients[1]
    inputs = history.tables["inputs"]
    rows = inputs.rows_of("input")
    np.testing.assert_allclose(inputs.column("feature_mean")[0, rows], x.mean(0), atol=1e-6)
    np.testing.assert_allclose(inputs.column("feature_std")[0, rows], x.std(0), rtol=1e-5)
    np.testing.assert_allclose(inputs.column("feature_min")[0, rows], x.min(0), rtol=1e-6)


def test_activations_against_a_forward_pass(keras: Any, tmp_path: Path) -> None:
    keras.utils.set_random_seed(4)
    model = keras.Sequential(
        [
            keras.Input((6,)),
            keras.layers.Dense(20, activation="relu", name="hidden"),
            keras.layers.Dense(3, activation="sigmoid", name="out"),
        ]
    )
    model.compile("sgd", "mse")
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=(16, 6)).astype("float32"), np.zeros((16, 3), "float32")
    w, b = (value.astype(np.float64) for value in model.get_weights()[:2])
    hidden = np.maximum(x @ w + b, 0)
    model.fit(x, y, batch_size=16, verbose=0, callbacks=[ConvergenceCallback(tmp_path)])
    table = read(tmp_path).tables["activations"]
    assert [row.layer for row in table.rows] == ["hidden", "out"]
    assert [row.activation for row in table.rows] == ["relu", "sigmoid"]
    expected = {
        "activation_mean": hidden.mean(),
        "activation_std": hidden.std(),
        "activation_batch_std": hidden.std(axis=0).mean(),
        "activation_max_abs": hidden.max(),
        "activation_kurtosis": np.mean(hidden**4) / np.mean(hidden**2) ** 2,
        "activation_zero_fraction": (hidden == 0).mean(),
        "activation_dead_fraction": ((hidden > 0).mean(axis=0) < 0.01).mean(),
    }
    for name, number in expected.items():
        assert table.column(name)[0, 0] == pytest.approx(number, rel=1e-5, abs=1e-7), name
    assert np.isnan(table.column("activation_saturated_fraction")[0, 0])
    assert table.column("activation_saturated_fraction")[0, 1] == 0


@pytest.mark.parametrize("step", [4, 17, 23])
def test_a_nan_is_found_at_its_exact_step(keras: Any, tmp_path: Path, step: int) -> None:
    """Records are ten steps apart; the sample that is NaN comes at a step between two of them."""
    rng = np.random.default_rng(1)
    x = rng.normal(size=(40 * 4, 12)).astype("float32")
    x[4 * step] = np.nan
    y = rng.integers(0, 4, len(x))
    keras.utils.set_random_seed(2)
    model = programs.dense(keras)
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    callback = ConvergenceCallback(tmp_path, every_n_steps=10, watch_every_step=True)
    model.fit(x, y, batch_size=4, verbose=0, shuffle=False, callbacks=[callback])
    history = read(tmp_path)
    assert step in history.tables["variables"].steps
    found = {finding.id: finding for finding in diagnose_history(history).findings}
    assert found["non-finite-input"].first_step == step
    assert found["non-finite-values"].first_step == step
    assert found["non-finite-values"].explained_by == "non-finite-input"


def test_the_file_reads_alike_with_both_loaders(keras: Any, tmp_path: Path) -> None:
    programs.train(keras, "convolutional", [ConvergenceCallback(tmp_path)])
    one, other = read(tmp_path, "python"), read(tmp_path, "fast")
    assert one.skipped == other.skipped == ()
    assert one.tables.keys() == other.tables.keys() >= {"variables", "activations", "run", "epoch"}
    assert one.config == other.config
    assert one.config["optimizer"]["class"] == "Adam"
    for group, table in one.tables.items():
        np.testing.assert_array_equal(table.steps, other.tables[group].steps)
        np.testing.assert_array_equal(table.low, other.tables[group].low)
    assert one.last_step == 11


def test_steps_go_on_over_several_fits(keras: Any, tmp_path: Path) -> None:
    model, x, y = linear(keras)
    for _ in range(2):
        model.fit(x, y, batch_size=4, epochs=2, verbose=0,
                  callbacks=[ConvergenceCallback(tmp_path)])
    history = read(tmp_path)
    assert history.tables["run"].steps.tolist() == list(range(8))
    assert history.skipped == ()


def test_the_last_step_is_always_there(keras: Any, tmp_path: Path) -> None:
    model, x, y = linear(keras)
    callback = ConvergenceCallback(tmp_path, every_n_steps=1000)
    model.fit(x, y, batch_size=2, epochs=12, verbose=0, callbacks=[callback])
    assert read(tmp_path).tables["run"].steps[-1] == 47


def test_loss_scaling_is_undone(keras: Any, tmp_path: Path) -> None:
    """Gradients arrive 32,768 times too large; what is recorded must not."""
    callback = ConvergenceCallback(tmp_path / "half")
    programs.train(keras, "dense", [callback], dtype="mixed_float16", epochs=1)
    programs.train(keras, "dense", [ConvergenceCallback(tmp_path / "full")], epochs=1)
    half, full = (
        read(tmp_path / name).tables["run"].column("gradient_global_norm")[0, 0]
        for name in ("half", "full")
    )
    assert half == pytest.approx(full, rel=0.1)  # float16 rounds; 32,768 would not pass


def test_penalties_labels_and_outliers(keras: Any, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(64, 2)).astype("float32")
    x[5, 1] = 40.0
    y = np.repeat([0, 2, 2, 2], 16)
    layers, regularizers = keras.layers, keras.regularizers
    model = keras.Sequential(
        [
            keras.Input((2,)),
            layers.Dense(5, kernel_regularizer=regularizers.L2(0.1)),
            layers.Dense(3, bias_initializer="ones", bias_regularizer=regularizers.L1(0.5)),
        ]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(0.1), loss)
    kernel = model.get_weights()[0].astype(np.float64)
    data = float(loss(y, model(x)))
    model.fit(x, y, batch_size=64, verbose=0, callbacks=[ConvergenceCallback(tmp_path)])
    history = read(tmp_path)
    run, labels, inputs = (history.tables[name] for name in ("run", "labels", "inputs"))
    penalty = 0.1 * np.sum(kernel**2) + 0.5 * 3
    assert run.column("regularization_loss")[0, 0] == pytest.approx(penalty, rel=1e-5)
    assert run.column("data_loss")[0, 0] == pytest.approx(data, rel=1e-4)
    assert run.column("loss")[0, 0] == pytest.approx(data + penalty, rel=1e-5)
    assert [row.name for row in labels.rows] == ["target=0", "target=1", "target=2"]
    assert labels.column("label_fraction")[0].tolist() == [0.25, 0.0, 0.75]
    outliers = inputs.column("feature_outlier_fraction")[0]
    assert outliers[:2].tolist() == [0.0, 1 / 64]


def test_the_gradient_of_the_penalty_is_that_of_a_tape(keras: Any, tmp_path: Path) -> None:
    tf = pytest.importorskip("tensorflow")
    layers, regularizers = keras.layers, keras.regularizers
    penalties = (regularizers.L2(0.03), regularizers.L1L2(0.01, 0.02), regularizers.L1(0.01), None)
    model = keras.Sequential(
        [keras.Input((4,)), *(layers.Dense(3, kernel_regularizer=one) for one in penalties)]
    )
    model.compile(keras.optimizers.SGD(0.1), "mse")
    kernels = [layer.kernel.value for layer in model.layers]
    with tf.GradientTape() as tape:
        tape.watch(kernels[0])
        penalty = penalties[0](kernels[0])
    expected = float(tf.norm(tape.gradient(penalty, kernels[0])))
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(16, 4)).astype("float32"), rng.normal(size=(16, 3)).astype("float32")
    model.fit(x, y, batch_size=16, verbose=0, callbacks=[ConvergenceCallback(tmp_path)])
    history = read(tmp_path)
    table = history.tables["variables"]
    found = [gradient_norm(table, configuration(history), row) for row in range(len(table.rows))]
    assert [row for row, one in enumerate(found) if one is not None] == [0]
    assert found[0] is not None
    assert found[0][0] == pytest.approx(expected, rel=1e-5)


def test_an_unknown_penalty_is_not_called_none(keras: Any, tmp_path: Path) -> None:
    class Own(keras.Sequential):
        def compute_loss(self, x: Any, y: Any, y_pred: Any, *_: Any, **__: Any) -> Any:
            return keras.ops.mean((y - y_pred) ** 2)

    keras.utils.set_random_seed(4)
    model = Own([keras.Input((3,)), keras.layers.Dense(2)])
    model.compile("sgd", "mse")
    x = np.ones((8, 3), "float32")
    model.fit(x, x[:, :2], verbose=0, callbacks=[ConvergenceCallback(tmp_path)])
    run = read(tmp_path).tables["run"]
    assert np.isfinite(run.column("loss")[0, 0])
    assert np.isnan(run.column("regularization_loss")[0, 0])


@pytest.mark.parametrize("kind", ["clipnorm", "global_clipnorm", "clipvalue"])
def test_what_clipping_leaves(keras: Any, tmp_path: Path, kind: str) -> None:
    """Every second batch has targets so large that its gradient is clipped."""
    limit = 0.5
    model, x, y = linear(keras)
    optimizer = keras.optimizers.LossScaleOptimizer(
        keras.optimizers.SGD(1e-3, **{kind: limit}), initial_scale=256.0
    )
    model.compile(optimizer, "mse")
    x, y = np.tile(x, (16, 1)), np.tile(0.01 * y, (16, 1))
    y.reshape(16, 8, 2)[1::2] += 100.0
    x *= 0.01
    callback = ConvergenceCallback(tmp_path, every_n_steps=12, watch_every_step=True)
    model.fit(x, y, batch_size=8, epochs=1, shuffle=False, verbose=0, callbacks=[callback])
    assert callback.disabled_reason is None
    history = read(tmp_path)
    run, table = history.tables["run"], history.tables["variables"]
    assert run.steps.tolist() == [*range(10), 12, 15]
    fraction = run.column("window_clipped_fraction")[:, 0]
    assert fraction.tolist() == pytest.approx([0, 1] * 5 + [1 / 3, 2 / 3])
    after = run.column("clipped_gradient_global_norm")[:, 0]
    before = run.column("gradient_global_norm")[:, 0]
    np.testing.assert_allclose(after[:10:2], before[:10:2], rtol=1e-5)
    updates = run.column("update_global_norm")[:, 0]
    np.testing.assert_allclose(after, updates / 1e-3, rtol=2e-2)
    assert (after[1::2] < 0.1 * before[1::2]).all()
    if kind == "global_clipnorm":
        np.testing.assert_allclose(after[1:10:2], limit, rtol=1e-5)
    assert table.column("gradient_norm").shape[1] == 2


class Line:
    """Mean squared error of `x @ kernel + bias` in float64, with plain descent."""

    def __init__(self, model: Any) -> None:
        self.weights = [value.astype(np.float64) for value in model.get_weights()]

    def gradients(self, x: np.ndarray, y: np.ndarray) -> tuple[float, list[np.ndarray]]:
        error = x.astype(np.float64) @ self.weights[0] + self.weights[1] - y
        found = [2 * x.T.astype(np.float64) @ error / error.size, 2 * error.sum(0) / error.size]
        return float(np.mean(error**2)), found

    def descend(self, gradients: list[np.ndarray], rate: float = 0.1) -> None:
        self.weights = [w - rate * g for w, g in zip(self.weights, gradients, strict=True)]


def test_windows_see_the_steps_between_records(keras: Any, tmp_path: Path) -> None:
    model, _, _ = linear(keras)
    rng = np.random.default_rng(5)
    x, y = rng.normal(size=(40 * 4, 3)).astype("float32"), rng.normal(size=(40 * 4, 2))
    line, losses, norms = Line(model), [], []
    for batch in range(40):
        part = slice(4 * batch, 4 * batch + 4)
        loss, gradients = line.gradients(x[part], y[part])
        line.descend(gradients)
        losses.append(loss)
        norms.append(np.linalg.norm(gradients[0]))
    model.fit(x, y, batch_size=4, verbose=0, shuffle=False,
              callbacks=[ConvergenceCallback(tmp_path, every_n_steps=17, watch_every_step=True)])
    history = read(tmp_path)
    run, table = history.tables["run"], history.tables["variables"]
    assert run.steps.tolist() == [*range(10), 17, 34, 39], "the last step is always recorded"
    for first, last in ((10, 17), (18, 34), (35, 39)):
        place, window = run.steps.tolist().index(last), losses[first : last + 1]
        expected = {
            "window_steps": len(window),
            "window_loss_mean": np.mean(window),
            "window_loss_max": max(window),
            "window_loss_min": min(window),
            "loss": losses[last],
            "window_nonfinite_steps": 0.0,
        }
        for name, number in expected.items():
            assert run.column(name)[place, 0] == pytest.approx(number, rel=1e-4), (name, last)
        largest = max(norms[first : last + 1])
        found = table.column("window_gradient_norm_max")[place, 0]
        assert found == pytest.approx(largest, rel=1e-4)


def test_an_accumulated_gradient_is_the_mean_and_one_step(keras: Any, tmp_path: Path) -> None:
    model, x, y = linear(keras)
    model.compile(keras.optimizers.SGD(0.1, gradient_accumulation_steps=4), "mse")
    line = Line(model)
    parts = [line.gradients(x[2 * n : 2 * n + 2], y[2 * n : 2 * n + 2])[1][0] for n in range(4)]
    model.fit(x, y, batch_size=2, epochs=2, verbose=0, shuffle=False,
              callbacks=[ConvergenceCallback(tmp_path)])
    table = read(tmp_path).tables["variables"]
    assert table.steps.tolist() == [0, 1], "four batches for each update"
    mean = np.linalg.norm(np.mean(parts, axis=0))
    assert table.column("gradient_norm")[0, 0] == pytest.approx(mean, rel=1e-4)
    assert table.column("update_norm")[0, 0] == pytest.approx(0.1 * mean, rel=1e-4)


def test_a_step_that_loss_scaling_skips_is_no_failure(keras: Any, tmp_path: Path) -> None:
    """The scale is far too large at first: steps overflow and are skipped, as they should be."""
    model, x, y = linear(keras)
    optimizer = keras.optimizers.LossScaleOptimizer(
        keras.optimizers.SGD(0.1), initial_scale=2.0**121
    )
    model.compile(optimizer, "mse")
    y = 1e3 * y
    loss, gradients = Line(model).gradients(x, y)
    model.fit(x, y, batch_size=8, epochs=12, verbose=0,
              callbacks=[ConvergenceCallback(tmp_path, every_n_steps=1)])
    history = read(tmp_path)
    run, table = history.tables["run"], history.tables["variables"]
    assert run.steps[0] == 0, "what is skipped is no step, and is not recorded"
    assert len(run.steps) < 12 * len(x) // 8, "some were skipped"
    assert not run.column("window_nonfinite_steps").any()
    assert run.column("loss")[0, 0] == pytest.approx(loss, rel=1e-4), "no update came before"
    norm = np.linalg.norm(gradients[0])
    assert table.column("gradient_norm")[0, 0] == pytest.approx(norm, rel=1e-4)
    found = {finding.id for finding in diagnose_history(history).findings}
    assert "non-finite-values" not in found
