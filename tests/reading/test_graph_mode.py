"""The classic recipe of graph mode, end to end: histograms of gradients and variables are read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from both_loaders import read

from tb_convergence.core.diagnosis import diagnose_history

pytestmark = pytest.mark.tensorflow

STEPS = 50


def train(logdir: Path) -> list[dict[str, np.ndarray]]:
    """Train with the recipe; the gradients and variables of each step, as the session gave them."""
    tf = pytest.importorskip("tensorflow")
    v1 = tf.compat.v1
    rng = np.random.default_rng(0)
    features = rng.normal(size=(64, 5)).astype(np.float32)
    targets = features @ rng.normal(size=(5, 1)).astype(np.float32) + 1.0
    observed = []
    with tf.Graph().as_default(), v1.Session() as session:
        v1.set_random_seed(1)
        x = v1.placeholder(tf.float32, [None, 5])
        y = v1.placeholder(tf.float32, [None, 1])
        hidden = x
        for layer, units in (("dense", 8), ("dense_1", 1)):
            with v1.variable_scope(layer):
                kernel = v1.get_variable("kernel", [hidden.shape[1], units])
                bias = v1.get_variable("bias", [units], initializer=v1.zeros_initializer())
            hidden = tf.matmul(hidden, kernel) + bias
            hidden = tf.nn.relu(hidden) if layer == "dense" else hidden
        loss = tf.reduce_mean(tf.square(hidden - y))
        optimizer = v1.train.GradientDescentOptimizer(0.05)
        pairs = optimizer.compute_gradients(loss)
        for gradient, variable in pairs:
            v1.summary.histogram("gradients/" + variable.name, gradient)
            v1.summary.histogram("variables/" + variable.name, variable)
        v1.summary.scalar("loss", loss)
        summaries = v1.summary.merge_all()
        step_op = optimizer.apply_gradients(pairs)
        session.run(v1.global_variables_initializer())
        with v1.summary.FileWriter(str(logdir), session.graph) as writer:
            for step in range(STEPS):
                fetches = [summaries, [(g, v.read_value()) for g, v in pairs], loss]
                summary, values, cost = session.run(fetches, {x: features, y: targets})
                writer.add_summary(summary, step)
                names = [variable.name.removesuffix(":0") for _, variable in pairs]
                observed.append(
                    {f"gradient {name}": g for name, (g, _) in zip(names, values, strict=True)}
                    | {f"variable {name}": v for name, (_, v) in zip(names, values, strict=True)}
                    | {"loss": cost}
                )
                session.run(step_op, {x: features, y: targets})
    return observed


def test_the_bounds_contain_the_norms_of_the_training(tmp_path: Path) -> None:
    observed = train(tmp_path)
    history = read(tmp_path)
    table = history.tables["variables"]
    assert [(row.name, row.layer, row.kind) for row in table.rows] == [
        ("dense/bias", "dense", "bias"),
        ("dense/kernel", "dense", "kernel"),
        ("dense_1/bias", "dense_1", "bias"),
        ("dense_1/kernel", "dense_1", "kernel"),
    ]
    assert table.source == "histograms"
    assert table.steps.tolist() == list(range(STEPS))
    for role in ("gradient", "variable"):
        low, high = (table.column(f"{role}_norm", bound) for bound in ("low", "high"))
        for index, row in enumerate(table.rows):
            truth = np.array([np.linalg.norm(seen[f"{role} {row.name}"]) for seen in observed])
            assert (low[:, index] <= truth).all(), (role, row.name)
            assert (truth <= high[:, index]).all(), (role, row.name)
            # Known to a tenth, or the interval would prove nothing.
            width = (high[:, index] - low[:, index]) / np.maximum(truth, 1e-9)
            assert np.median(width) < 0.2, (role, row.name)
    loss = history.series("loss")
    assert loss is not None
    np.testing.assert_allclose(loss.values, [seen["loss"] for seen in observed], rtol=1e-6)
    assert history.skipped == ()
    assert diagnose_history(history).last_step == STEPS - 1
