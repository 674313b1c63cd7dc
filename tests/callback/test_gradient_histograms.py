"""How gradients are spread: recorded, read again, and told as bands; against NumPy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tb_convergence import ConvergenceRecorder
from tb_convergence.core.histogram_bands import SHARES, bands_over_time
from tb_convergence.core.history import RunHistory
from tb_convergence.keras import ConvergenceCallback
from tb_convergence.reading import open_logdir
from tb_convergence.reading.provider import read_folded
from tb_convergence.reading.recorded_histograms import recorded_magnitudes
from tb_convergence.reading.runs import fold_runs

FEATURES, UNITS, BATCH = 300, 64, 16
EXPONENTS = range(-40, 18, 2)


def problem(keras: Any) -> tuple[Any, np.ndarray, np.ndarray, np.ndarray]:
    """A linear regression with features of very different sizes; and its kernel's gradient."""
    rng = np.random.default_rng(5)
    x = (rng.normal(size=(BATCH, FEATURES)) * 10.0 ** rng.uniform(-9, 1, FEATURES)).astype("f4")
    x[:, ::10] = 0.0
    y = rng.normal(size=(BATCH, UNITS)).astype("f4")
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((FEATURES,)), keras.layers.Dense(UNITS, name="only")])
    w, b = (value.astype(np.float64) for value in model.get_weights())
    gradient = 2.0 * x.T.astype(np.float64) @ (x @ w + b - y) / y.size
    return model, x, y, gradient


def read(logdir: Path) -> RunHistory:
    with open_logdir(logdir, "python") as source:
        (run,) = fold_runs(source.runs())
        return read_folded(source, run)


def shares(entries: np.ndarray) -> list[float]:
    return [float(np.mean(np.abs(entries) >= 2.0**exponent)) for exponent in EXPONENTS]


@pytest.mark.parametrize("jit_compile", [False, True])
@pytest.mark.parametrize("scaled", [False, True])
def test_shares_are_those_of_the_gradient(
    keras: Any, tmp_path: Path, jit_compile: bool, scaled: bool
) -> None:
    model, x, y, gradient = problem(keras)
    optimizer = keras.optimizers.SGD(0.1)
    if scaled:
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer, initial_scale=256.0)
    model.compile(optimizer, "mse", jit_compile=jit_compile)
    callback = ConvergenceCallback(tmp_path, gradient_histograms=True)
    model.fit(x, y, batch_size=BATCH, verbose=0, callbacks=[callback])
    assert callback.disabled_reason is None
    history = read(tmp_path)
    table = history.tables["magnitudes"]
    assert [row.kind for row in table.rows] == ["kernel", "bias"]
    told = np.stack([table.column(f"gradient_share_from_2^{e}")[0] for e in EXPONENTS])
    # 19,200 entries: every 19th, which shares no factor with them.
    np.testing.assert_allclose(told[:, 0], shares(gradient.ravel()[::19]), atol=0.003)
    np.testing.assert_allclose(told[:, 0], shares(gradient), atol=0.06)
    largest = history.tables["variables"].column("gradient_max")[0, 0]
    assert largest == pytest.approx(np.abs(gradient).max(), rel=1e-3)

    (recorded,) = recorded_magnitudes(history, table.rows[0].name)
    assert recorded.role == "magnitude"
    assert recorded.steps.tolist() == [0]
    bands = bands_over_time(recorded.histograms)
    for place, share in enumerate(SHARES):
        # A quarter of a percent off at either end: these are bands of a sample.
        low, high = np.quantile(np.abs(gradient), ((1 - share) / 2, (1 + share) / 2))
        assert bands.low[0, place] <= low * 4
        assert bands.high[0, place] >= high / 4
    assert bands.high[0, 0] == pytest.approx(largest)


def test_gradients_of_all_kinds(keras: Any, tmp_path: Path) -> None:
    """A loop of one's own: sparse, missing, not finite."""
    import tensorflow as tf  # noqa: PLC0415

    words = tf.Variable(tf.ones([10, 4]), name="words")
    unused = tf.Variable(1.0, name="unused")
    broken = tf.Variable(tf.zeros([2]), name="broken")
    values = tf.constant([[1.0, 2.0, 4.0, 8.0], [0.5, 0.5, 0.5, 0.5]])
    recorder = ConvergenceRecorder(tmp_path, [words, unused, broken], gradient_histograms=True)

    @tf.function  # type: ignore[untyped-decorator]
    def step() -> None:
        slices = tf.IndexedSlices(values, tf.constant([3, 3]), tf.constant([10, 4]))
        gradients = [slices, None, tf.constant([float("nan"), float("inf")])]
        recorder.apply(lambda found, of: None, gradients)

    step()
    recorder.close()
    assert recorder.disabled_reason is None
    history = read(tmp_path)
    table = history.tables["magnitudes"]
    assert table.column("gradient_share_from_2^0")[0, 0] == pytest.approx(4 / 40)
    assert table.column("gradient_share_from_2^2")[0, 0] == pytest.approx(2 / 40)
    assert np.isnan(table.column("gradient_share_from_2^0")[0, 1])
    assert table.column("gradient_share_from_2^16")[0, 2] == 0.5
    assert recorded_magnitudes(history, "unused") == ()
    assert recorded_magnitudes(history, "nobody") == ()
    (of_broken,) = recorded_magnitudes(history, "broken")
    assert bands_over_time(of_broken.histograms).nan_seen.all()


def test_nothing_of_it_by_default(keras: Any, tmp_path: Path) -> None:
    model, x, y, _ = problem(keras)
    model.compile("sgd", "mse")
    model.fit(x, y, verbose=0, callbacks=[ConvergenceCallback(tmp_path)])
    history = read(tmp_path)
    assert "magnitudes" not in history.tables
    assert recorded_magnitudes(history, history.tables["variables"].rows[0].name) == ()
