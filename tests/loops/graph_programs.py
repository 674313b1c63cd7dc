"""Programs of graph mode, as scripts: `python graph_programs.py NAME FOLDER`.

Each prints, as JSON lines, what the session itself saw at every step: float64 norms by NumPy.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import numpy as np
import tensorflow as tf

from tb_convergence import v1 as convergence

v1 = tf.compat.v1
STEPS = 6


def network() -> tuple[Any, Any, Any, Any]:
    """(placeholder x, placeholder y, loss, pairs): two layers, an embedding, an unused variable."""
    x = v1.placeholder(tf.float32, [None, 5], name="x")
    y = v1.placeholder(tf.float32, [None, 1], name="y")
    hidden = x
    for layer, units in (("dense", 8), ("dense_1", 1)):
        with v1.variable_scope(layer):
            kernel = v1.get_variable("kernel", [hidden.shape[1], units])
            bias = v1.get_variable("bias", [units], initializer=v1.zeros_initializer())
        hidden = tf.matmul(hidden, kernel) + bias
        hidden = tf.nn.relu(hidden) if layer == "dense" else hidden
    words = v1.get_variable("words/embeddings", [6, 1])
    v1.get_variable("unused/w", [3], initializer=v1.ones_initializer())
    loss = tf.reduce_mean(tf.square(hidden + tf.gather(words, [1, 1, 4, 1]) - y))
    optimizer = v1.train.GradientDescentOptimizer(0.05)
    return x, y, loss, (optimizer, optimizer.compute_gradients(loss))


def feed(x: Any, y: Any, step: int) -> dict[Any, np.ndarray]:
    rng = np.random.default_rng(step)
    return {x: rng.normal(size=(4, 5)), y: rng.normal(size=(4, 1))}


def seen(pairs: Any, values: Any, loss: Any) -> dict[str, Any]:
    norms: dict[str, Any] = {"loss": float(loss)}
    for (gradient, variable), (found, value) in zip(pairs, values, strict=True):
        name = variable.name.removesuffix(":0")
        norms[f"w {name}"] = float(np.linalg.norm(np.asarray(value, np.float64)))
        if gradient is None:
            norms[f"g {name}"] = None
            continue
        if hasattr(found, "indices"):
            whole = np.zeros(value.shape)
            np.add.at(whole, found.indices, found.values)
        else:
            whole = np.asarray(found, np.float64)
        norms[f"g {name}"] = float(np.linalg.norm(whole))
    return norms


def session(folder: str) -> None:
    v1.set_random_seed(1)
    x, y, loss, (optimizer, pairs) = network()
    updates = [None if g is None else -0.05 * tf.convert_to_tensor(g) for g, _ in pairs]
    convergence.health_summary(pairs, loss=loss, learning_rate=0.05, updates=updates)
    v1.summary.scalar("theirs", loss)
    merged = v1.summary.merge_all()
    step_op = optimizer.apply_gradients(pairs)
    fetched = [(v if g is None else g, v) for g, v in pairs]
    with v1.Session() as running, v1.summary.FileWriter(folder, running.graph) as writer:
        running.run(v1.global_variables_initializer())
        for step in range(STEPS):
            batch = feed(x, y, step)
            summary, values, cost = running.run([merged, fetched, loss], batch)
            writer.add_summary(summary, step)
            print(json.dumps(seen(pairs, values, cost)))
            running.run(step_op, batch)


def monitored(folder: str) -> None:
    v1.set_random_seed(1)
    x, y, loss, (optimizer, pairs) = network()
    convergence.health_summary(pairs, loss=loss)
    step_op = optimizer.apply_gradients(pairs, v1.train.get_or_create_global_step())
    with v1.train.MonitoredTrainingSession(
        checkpoint_dir=folder, save_summaries_steps=2, save_checkpoint_steps=3
    ) as running:
        for step in range(STEPS):
            running.run(step_op, feed(x, y, step))


def weights(folder: str) -> None:
    """The weights after a training with (FOLDER is not "") and without the summary."""
    v1.set_random_seed(1)
    x, y, loss, (optimizer, pairs) = network()
    fetched = convergence.health_summary(pairs, loss=loss) if folder else tf.constant(0)
    step_op = optimizer.apply_gradients(pairs)
    with v1.Session() as running:
        running.run(v1.global_variables_initializer())
        for step in range(STEPS):
            running.run([step_op, fetched], feed(x, y, step))
        for _, variable in pairs:
            print(json.dumps(np.asarray(running.run(variable)).tolist()))


if __name__ == "__main__":
    (v1.disable_v2_behavior if "old" in sys.argv[1] else v1.disable_eager_execution)()
    {"session": session, "monitored": monitored, "weights": weights}[sys.argv[1].split("-")[0]](
        sys.argv[2]
    )
