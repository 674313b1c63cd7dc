"""Programs on tables and series as people post them: the fourth held-out set, the harder half.

Written from memory of what goes wrong in practice, without a look at a rule, and labelled before
the first diagnosis; `zoo.first_contact` keeps how the rules fared then. Every fault here was in no
earlier set.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers, ops

from zoo import data, networks
from zoo.networks import CROSS_ENTROPY
from zoo.program import Program, Training, accuracy, outputs, program, r2

LOW = "learning-rate-too-low"


def millionths(sick: bool) -> Training:
    """The loss is multiplied by 1e-6 'to keep it small', and SGD(0.05) stays as it was."""
    seen, unseen = data.friedman()
    factor = 1e-6 if sick else 1.0

    def scaled(y: Any, p: Any) -> Any:
        return factor * ops.mean(ops.square(y - p))

    model = networks.dense(10, (32,), 1, None)
    model.compile(keras.optimizers.SGD(0.05), scaled)
    return Training(model, *seen, r2(*unseen), unseen, epochs=10)


def rounded(sick: bool) -> Training:
    """The code in the middle is rounded to whole numbers, which has no gradient."""
    seen, unseen = data.spirals()
    inputs = keras.Input((2,))
    x = layers.Dense(32, activation="relu")(inputs)
    x = layers.Dense(6, activation="tanh")(x)
    if sick:
        x = layers.Lambda(ops.round)(x)
    x = layers.Dense(32, activation="relu")(x)
    model = keras.Model(inputs, layers.Dense(1, activation="sigmoid")(x))
    model.compile(keras.optimizers.Adam(1e-2), "binary_crossentropy")
    return Training(model, *seen, accuracy(*unseen), unseen, epochs=12)


def plateau_upside_down(sick: bool) -> Training:
    """ReduceLROnPlateau waits for the training loss to rise (mode='max')."""
    seen, unseen = data.digits()
    model = networks.dense(64, (32,), 10)
    model.compile(keras.optimizers.SGD(0.02), CROSS_ENTROPY)
    reduce = keras.callbacks.ReduceLROnPlateau(
        monitor="loss", mode="max" if sick else "min", factor=0.1, patience=1
    )
    return Training(model, *seen, accuracy(*unseen), unseen, epochs=12, callbacks=(reduce,))


def flat_rows(sick: bool) -> Training:
    """Every row is divided by its own deviation in the first layer; some rows do not vary."""
    (x, y), unseen = data.digits()
    x = x.copy()
    x[::60] = x[::60, :1]

    def own(row: Any) -> Any:
        mean = ops.mean(row, axis=1, keepdims=True)
        return (row - mean) / (ops.std(row, axis=1, keepdims=True) + (0.0 if sick else 1e-3))

    model = keras.Sequential([
        keras.Input((64,)), layers.Lambda(own), layers.Dense(32, activation="relu"),
        layers.Dense(10, activation="softmax"),
    ])
    model.compile(keras.optimizers.Adam(3e-3), CROSS_ENTROPY)
    return Training(model, x, y, accuracy(*unseen), unseen, epochs=8)


def broken_sensor(sick: bool) -> Training:
    """A sensor once read 1e7 in three columns; standardizing squeezed all other rows to nothing."""
    (x, y), (xv, yv) = data.friedman()
    if sick:
        raw = x.copy()
        raw[17, [0, 1, 3]] = 1e7
        mean, std = raw.mean(0), raw.std(0)
        x, xv = ((raw - mean) / std).astype("f"), ((xv - mean) / std).astype("f")
    model = networks.dense(10, (32,), 1, None)
    model.compile(keras.optimizers.Adam(3e-3), "mae")
    return Training(model, x, y, r2(xv, yv), (xv, yv), epochs=12)


def careless_annotators(sick: bool) -> Training:
    """Two of five labels are wrong, any other class being as likely."""
    (x, y), unseen = data.digits()
    rng = np.random.default_rng(80)
    wrong = rng.random(len(y)) < (0.4 if sick else 0.0)
    y = np.where(wrong, (y + rng.integers(1, 10, len(y))) % 10, y).astype("i")
    model = networks.dense(64, (128,), 10)
    model.compile(keras.optimizers.Adam(3e-3), CROSS_ENTROPY)
    return Training(model, x, y, accuracy(*unseen), unseen, epochs=20)


def sixty_samples(sick: bool) -> Training:
    """A wide network and sixty digits: the training loss is zero, the validation loss is not."""
    (x, y), unseen = data.digits()
    n, epochs = (60, 100) if sick else (1437, 7)
    model = networks.dense(64, (256, 256), 10)
    model.compile(keras.optimizers.Adam(2e-3), CROSS_ENTROPY)
    return Training(model, x[:n], y[:n], accuracy(*unseen), unseen, epochs=epochs)


def all_in_one_batch(sick: bool) -> Training:
    """batch_size is the whole set 'because it fits', so twelve epochs are twelve steps."""
    (x, y), unseen = data.digits()
    model = networks.dense(64, (48,), 10)
    model.compile(keras.optimizers.Adam(1e-3), CROSS_ENTROPY)
    return Training(model, x, y, accuracy(*unseen), unseen, epochs=12,
                    batch_size=len(x) if sick else 32)


def an_answer_at_every_step(sick: bool) -> Training:
    """return_sequences=True stays in the last LSTM: the one target is compared with 24 outputs."""
    seen, (xv, yv) = data.waves()
    model = keras.Sequential([
        keras.Input((24, 1)), layers.LSTM(16, return_sequences=sick), layers.Dense(1),
    ])
    model.compile(keras.optimizers.Adam(1e-2), "mse")

    def judge(trained: Any) -> float:
        out = outputs(trained, xv).reshape(len(xv), -1)
        return 1 - float(np.mean((out - yv) ** 2) / yv.var())

    return Training(model, *seen, judge, (xv, yv), epochs=12)


def decoupled_decay(sick: bool) -> Training:
    """AdamW(weight_decay=20): a number that was meant for the layers' l2."""
    seen, unseen = data.digits()
    model = networks.dense(64, (48,), 10)
    model.compile(keras.optimizers.AdamW(3e-3, weight_decay=20.0 if sick else 0.004),
                  CROSS_ENTROPY)
    return Training(model, *seen, accuracy(*unseen), unseen, epochs=8)


def seldom_applied(sick: bool) -> Training:
    """gradient_accumulation_steps=128, of batches of 32: the weights move thrice."""
    seen, unseen = data.digits()
    every = 128 if sick else 2
    model = networks.dense(64, (48,), 10)
    model.compile(keras.optimizers.Adam(3e-3, gradient_accumulation_steps=every), CROSS_ENTROPY)
    return Training(model, *seen, accuracy(*unseen), unseen, epochs=9)


PROGRAMS: tuple[Program, ...] = (
    program("posted-millionths", "table", millionths, 0.6, LOW, "wrong-loss"),
    program("posted-rounded", "table", rounded, 0.85, "never-updated", "wrong-hidden-activation"),
    program("posted-plateau", "table", plateau_upside_down, 0.85, LOW, also=("too-few-steps",)),
    program("posted-flat-rows", "table", flat_rows, 0.85, "non-finite-values", "non-finite-input"),
    program("posted-sensor", "table", broken_sensor, 0.6, "unnormalized-input"),
    program("posted-annotators", "table", careless_annotators, 0.9, "wrong-labels",
            also=("overfitting",)),
    program("posted-sixty", "table", sixty_samples, 0.9, "overfitting"),
    program("posted-one-batch", "table", all_in_one_batch, 0.85, "too-few-steps", LOW),
    program("posted-every-step", "recurrent", an_answer_at_every_step, 0.7, "wrong-loss"),
    program("posted-decoupled-decay", "dense", decoupled_decay, 0.85, "over-regularization"),
    program("posted-seldom", "dense", seldom_applied, 0.85, "too-few-steps", LOW),
)
