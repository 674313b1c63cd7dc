"""Trains a small network whose gradients are written as histograms only, for the pictures.

    python tools/screenshot_logs.py FOLDER

`histograms`: gradients and weights under names that say what they are. `own-names`: the same
training under names that do not.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import tensorflow as tf

STEPS, EVERY, LAYERS = 400, 4, 3


def main(folder: Path) -> None:
    """Write both runs."""
    tf.keras.utils.set_random_seed(1)
    rng = np.random.default_rng(1)
    x = rng.normal(size=(512, 20)).astype(np.float32)
    y = (np.abs(x[:, 0] * x[:, 1]) > 0.5).astype(np.int64)
    inner = [tf.keras.layers.Dense(32, "relu") for _ in range(LAYERS)]
    model = tf.keras.Sequential([*inner, tf.keras.layers.Dense(2)])
    loss_of = tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    optimizer = tf.keras.optimizers.Adam(0.001)
    named = tf.summary.create_file_writer(str(folder / "histograms"))
    own = tf.summary.create_file_writer(str(folder / "own-names"))

    @tf.function
    def step(inputs: tf.Tensor, targets: tf.Tensor) -> tuple[tf.Tensor, list[tf.Tensor]]:
        with tf.GradientTape() as tape:
            loss = loss_of(targets, model(inputs, training=True))
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
        return loss, gradients

    for number in range(STEPS):
        chosen = rng.choice(512, 64)
        loss, gradients = step(tf.constant(x[chosen]), tf.constant(y[chosen]))
        if number % EVERY:
            continue
        for writer in (named, own):
            with writer.as_default(step=number):
                tf.summary.scalar("loss", loss)
        for variable, gradient in zip(model.trainable_variables, gradients, strict=True):
            with named.as_default(step=number):
                tf.summary.histogram(f"gradients/{variable.path}", gradient)
                tf.summary.histogram(variable.path, variable)
            with own.as_default(step=number):
                tf.summary.histogram(f"backward.{variable.path.replace('/', '.')}", gradient)
                tf.summary.histogram(f"state.{variable.path.replace('/', '.')}", variable)
    named.close()
    own.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
