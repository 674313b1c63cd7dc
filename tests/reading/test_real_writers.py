"""Event files as the real libraries write them: Keras, tf.summary, tensorboardX."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from both_loaders import read

from tb_convergence.core.diagnosis import diagnose_history, recipes
from tb_convergence.core.reductions import reduce
from tb_convergence.core.rules import RULES


@pytest.mark.tensorflow
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras' own
def test_keras_callback_with_histograms(tmp_path: Path) -> None:
    keras = pytest.importorskip("keras")
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [keras.Input((4,)), keras.layers.Dense(8, activation="relu"), keras.layers.Dense(1)]
    )
    model.compile(keras.optimizers.SGD(0.01), "mse")
    x = np.random.default_rng(0).normal(size=(64, 4)).astype("float32")
    y = x.sum(axis=1, keepdims=True)
    norms: list[list[float]] = []
    watch = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: norms.append(
            [float(np.linalg.norm(weight)) for weight in model.get_weights()]
        )
    )
    board = keras.callbacks.TensorBoard(str(tmp_path), histogram_freq=1, update_freq="batch")
    done = model.fit(
        x, y, validation_data=(x, y), epochs=3, batch_size=16, verbose=0, callbacks=[watch, board]
    )
    history = read(tmp_path)
    assert (history.run, history.source_runs) == (".", ("train", "validation"))
    table = history.tables["variables"]
    # Keras before 3.13, the last one for Python 3.10, writes all layers under one name.
    by_path = tuple(map(int, keras.__version__.split(".")[:2])) >= (3, 13)
    order = [1, 0, 3, 2] if by_path else [3, 2]
    assert [row.kind for row in table.rows] == ["bias", "kernel"] * (len(order) // 2)
    truth = np.array(norms)[:, order]
    # Written when an epoch of four batches had ended.
    assert (table.axis, table.steps.tolist()) == ("batch", [4, 8, 12])
    assert (table.column("variable_norm", "low") <= truth).all()
    assert (truth <= table.column("variable_norm", "high")).all()
    scalars = history.scalars
    np.testing.assert_allclose(scalars["epoch_loss"].values, done.history["loss"], rtol=1e-5)
    np.testing.assert_allclose(
        scalars["validation_loss"].values, done.history["val_loss"], rtol=1e-5
    )
    assert scalars["loss"].axis == "batch"
    assert len(scalars["loss"]) == 12
    assert history.skipped == ()
    assert diagnose_history(history).recipes == (recipes.KERAS,)


@pytest.mark.tensorflow
def test_tf_summary_in_a_loop(tmp_path: Path) -> None:
    tf = pytest.importorskip("tensorflow")
    rng = np.random.default_rng(1)
    truth = []
    with tf.summary.create_file_writer(str(tmp_path)).as_default():
        for step in range(4):
            gradient = rng.normal(0, 10.0**-step, (30, 5)).astype(np.float32)
            tf.summary.histogram("gradients/dense/kernel", gradient, step=step)
            tf.summary.scalar("loss", 1.0 / (step + 1), step=step)
            truth.append(reduce(gradient))
        gradient[0, 0] = np.nan
        tf.summary.histogram("gradients/dense/kernel", gradient, step=4)
    history = read(tmp_path)
    table = history.tables["variables"]
    for column, statistic in (("gradient_norm", "norm"), ("gradient_max", "max_abs")):
        low, high = (table.column(column, bound)[:4, 0] for bound in ("low", "high"))
        expected = [getattr(reductions, statistic) for reductions in truth]
        assert (low <= expected).all()
        assert (expected <= high).all()
    assert table.column("gradient_nan_fraction", "low")[:, 0].tolist()[:4] == [0, 0, 0, 0]
    assert table.column("gradient_nan_fraction", "low")[4, 0] > 0
    assert len(history.scalars["loss"]) == 4
    diagnosis = diagnose_history(history)
    assert diagnosis.recipes == (recipes.LOOP, recipes.GRAPH)
    assert [finding.id for finding in diagnosis.findings] == ["non-finite-values"]


def test_tensorboardx(tmp_path: Path) -> None:
    tensorboardx = pytest.importorskip("tensorboardX")
    rng = np.random.default_rng(2)
    truth = []
    with tensorboardx.SummaryWriter(str(tmp_path)) as writer:
        for step in range(4):
            gradient = rng.normal(0, 1e-3, 200)
            weight = rng.normal(1.0, 0.1, 200)
            writer.add_histogram("fc1.weight.grad", gradient, step)
            writer.add_histogram("fc1.weight", weight, step)
            writer.add_scalar("Loss/train", 1.0 / (step + 1), step)
            truth.append((reduce(gradient), reduce(weight)))
    history = read(tmp_path)
    table = history.tables["variables"]
    assert [(row.name, row.layer, row.kind) for row in table.rows] == [
        ("fc1.weight", "fc1", "kernel")
    ]
    for column, which, statistic in (
        ("gradient_norm", 0, "norm"), ("gradient_mean_abs", 0, "mean_abs"),
        ("variable_norm", 1, "norm"), ("variable_mean", 1, "mean"), ("variable_std", 1, "std"),
    ):
        expected = np.array([getattr(pair[which], statistic) for pair in truth])
        assert (table.column(column, "low")[:, 0] <= expected).all(), column
        assert (expected <= table.column(column, "high")[:, 0]).all(), column
    assert len(history.scalars["loss"]) == 4
    diagnosis = diagnose_history(history)
    assert diagnosis.recipes == (recipes.TORCH,)
    # Everything is judged or said to need something, by a name that can be looked up.
    judged = {rule.id for rule in RULES} - {item.id for item in diagnosis.not_evaluated}
    assert {"non-finite-values", "wrong-hidden-activation"} <= judged
    assert all(item.needs for item in diagnosis.not_evaluated)
