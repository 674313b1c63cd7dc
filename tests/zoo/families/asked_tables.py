"""Programs on tables as people ask about them: the fifth held-out set.

Each was written without a look at a rule, from what people commonly ask, and labelled before the
first diagnosis; `zoo.first_contact` keeps how the rules fared then.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers, ops
from sklearn import datasets

from zoo import data, networks
from zoo.networks import CROSS_ENTROPY
from zoo.program import Program, Training, accuracy, balanced_accuracy, outputs, program, r2

OUTPUT, LOSS = "wrong-output-activation", "wrong-loss"


def moons() -> data.Split:
    """Two interleaved half circles, raw coordinates."""
    x, y = datasets.make_moons(1200, noise=0.1, random_state=90)
    return data.split(x.astype("f"), y.astype("f")[:, None])


def softmax_of_one_with_squares(sick: bool) -> Training:
    """Dense(1, 'softmax') with mean_squared_error: the accuracy stays at 50 %."""
    seen, unseen = moons()
    model = networks.dense(2, (16, 16), 1, "softmax" if sick else "sigmoid")
    model.compile(keras.optimizers.Adam(1e-2), "mean_squared_error", metrics=["accuracy"])
    return Training(model, *seen, accuracy(*unseen), unseen, epochs=12)


def labels_of_minus_one(sick: bool) -> Training:
    """Labels are -1 and 1, the last layer is a sigmoid, and the loss becomes very negative."""
    (x, y), (xv, yv) = data.rings()
    y, below = (y * 2 - 1, yv * 2 - 1) if sick else (y, yv)
    model = networks.dense(2, (16, 16), 1, "sigmoid")
    model.compile(keras.optimizers.Adam(1e-2), "binary_crossentropy", metrics=["accuracy"])

    def judge(trained: Any) -> float:
        return float(np.mean((outputs(trained, xv) > 0.5) == (yv > 0.5)))

    return Training(model, x, y, judge, (xv, below), epochs=12)


def relu_before_cross_entropy(sick: bool) -> Training:
    """Dense(3, 'relu') with categorical_crossentropy on one-hot labels."""
    (x, y), (xv, yv) = data.wine()
    model = networks.dense(13, (16,), 3, "relu" if sick else "softmax")
    model.compile(keras.optimizers.Adam(3e-3), "categorical_crossentropy", metrics=["accuracy"])
    each = np.eye(3, dtype="f")
    return Training(model, x, each[y], accuracy(xv, yv), (xv, each[yv]), epochs=40)


def two_heads_one_relu(sick: bool) -> Training:
    """Two answers from one trunk; the one that can be negative ends in ReLU."""
    (x, y), (xv, yv) = data.friedman()
    inputs = keras.Input((10,))
    h = layers.Dense(48, activation="relu")(inputs)
    h = layers.Dense(24, activation="relu")(h)
    change = layers.Dense(1, activation="relu" if sick else None, name="change")(h)
    large = layers.Dense(1, activation="sigmoid", name="large")(h)
    model = keras.Model(inputs, [change, large])
    model.compile(keras.optimizers.Adam(3e-3), ["mse", "binary_crossentropy"])

    def judge(trained: Any) -> float:
        out = np.asarray(trained(xv)[0])
        return max(-1.0, 1 - float(np.mean((out - yv) ** 2) / yv.var()))

    def two(target: Any) -> list[Any]:
        return [target, (target > 0.5).astype("f")]

    return Training(model, x, two(y), judge, (xv, two(yv)), epochs=15)


def one_head_in_dollars(sick: bool) -> Training:
    """One of two answers is in dollars, the other a class; the class is never learned."""
    (x, y), (xv, yv) = data.friedman(scale=40000.0 if sick else 1.0, shift=2e5 if sick else 0.0)
    middle = np.median(y)
    inputs = keras.Input((10,))
    h = layers.Dense(32, activation="relu")(inputs)
    price = layers.Dense(1, name="price")(h)
    sold = layers.Dense(1, activation="sigmoid", name="sold")(h)
    model = keras.Model(inputs, [price, sold])
    model.compile(keras.optimizers.Adam(5e-3), ["mse", "binary_crossentropy"])

    def judge(trained: Any) -> float:
        guess = np.asarray(trained(xv)[1]) > 0.5
        return float(np.mean(guess == (yv > middle)))

    def two(target: Any) -> list[Any]:
        return [target, (target > middle).astype("f")]

    return Training(model, x, two(y), judge, (xv, two(yv)), epochs=12)


def timestamps(sick: bool) -> Training:
    """One of the columns is a time in seconds since 1970; the others are standardized."""
    (x, y), (xv, yv) = data.friedman()

    def with_time(rows: Any, seed: int) -> Any:
        if not sick:
            return rows
        when = np.random.default_rng(seed).uniform(1.5e9, 1.7e9, (len(rows), 1))
        return np.hstack([rows, when]).astype("f")

    x, xv = with_time(x, 91), with_time(xv, 92)
    model = networks.dense(x.shape[1], (32, 16), 1, None)
    model.compile(keras.optimizers.Adam(3e-3), "mse")
    return Training(model, x, y, r2(xv, yv), (xv, yv), epochs=15)


def wines_as_they_come(sick: bool) -> Training:
    """Raw measurements of wines into tanh layers, without a scaler."""
    seen, unseen = data.wine(raw=sick)
    model = networks.dense(13, (16, 16), 3, activation="tanh")
    model.compile(keras.optimizers.Adam(1e-3), CROSS_ENTROPY, metrics=["accuracy"])
    return Training(model, *seen, accuracy(*unseen), unseen, epochs=40, batch_size=16)


def missing_values(sick: bool) -> Training:
    """A few cells of the table were empty; pandas read them as NaN."""
    (x, y), unseen = data.cancer()
    x = x.copy()
    if sick:
        x[np.random.default_rng(93).integers(0, len(x), 6), 4] = np.nan
    model = networks.dense(30, (16,), 1, "sigmoid")
    model.compile(keras.optimizers.RMSprop(3e-3), "binary_crossentropy", metrics=["accuracy"])
    return Training(model, x, y, accuracy(*unseen), unseen, epochs=10)


def own_cross_entropy(sick: bool) -> Training:
    """A cross-entropy of one's own takes the logarithm of a softmax that reaches zero."""
    (x, y), (xv, yv) = data.digits(scale=16.0)
    each = np.eye(10, dtype="f")

    def entropy(target: Any, p: Any) -> Any:
        p = p if sick else ops.clip(p, 1e-7, 1.0)
        return -ops.mean(ops.sum(target * ops.log(p), axis=1))

    model = networks.dense(64, (64,), 10, kernel_initializer="random_normal" if not sick
                           else keras.initializers.RandomNormal(stddev=0.6))
    model.compile(keras.optimizers.Adam(1e-3), entropy, metrics=["accuracy"])
    return Training(model, x, each[y], accuracy(xv, yv), (xv, each[yv]), epochs=8)


def only_lines(sick: bool) -> Training:
    """Six hidden layers, and an activation in none of them."""
    seen, unseen = data.spirals()
    model = networks.dense(2, (32,) * 4, 1, "sigmoid", activation=None if sick else "relu")
    model.compile(keras.optimizers.Adam(1e-2), "binary_crossentropy", metrics=["accuracy"])
    return Training(model, *seen, accuracy(*unseen), unseen, epochs=15)


def two_units(sick: bool) -> Training:
    """One hidden layer of two units is to part two spirals."""
    seen, unseen = data.spirals()
    model = networks.dense(2, (2,) if sick else (48, 48), 1, "sigmoid")
    model.compile(keras.optimizers.Adam(1e-2), "binary_crossentropy", metrics=["accuracy"])
    return Training(model, *seen, accuracy(*unseen), unseen, epochs=25)


def rare_faults(sick: bool) -> Training:
    """Four classes, 94 % of the samples are of the first; all are predicted to be of it."""
    rng = np.random.default_rng(94)
    middles = rng.standard_normal((4, 8)) * 0.7

    def cloud(n: int, share: list[float]) -> tuple[Any, Any]:
        y = rng.choice(4, n, p=share)
        return (middles[y] + rng.standard_normal((n, 8))).astype("f"), y.astype("i")

    seen = cloud(2000, [0.94, 0.02, 0.02, 0.02] if sick else [0.25] * 4)
    xv, yv = cloud(800, [0.25] * 4)
    model = networks.dense(8, (16,), 4)
    model.compile(keras.optimizers.Adam(2e-3), CROSS_ENTROPY, metrics=["accuracy"])
    return Training(model, *seen, accuracy(xv, yv), cloud(500, [0.94, 0.02, 0.02, 0.02])
                    if sick else (xv, yv), epochs=10)


def reshaped_the_wrong_way(sick: bool) -> Training:
    """reshape instead of a transpose: every row holds pieces of many samples."""
    (x, y), unseen = data.cancer()
    if sick:
        x = np.ascontiguousarray(x.T).reshape(len(x), 30)
    model = networks.dense(30, (16,), 1, "sigmoid")
    model.compile(keras.optimizers.Adam(3e-3), "binary_crossentropy", metrics=["accuracy"])
    return Training(model, x, y, balanced_accuracy(*unseen), unseen, epochs=12)


def other_codes_in_the_test(sick: bool) -> Training:
    """The classes of the validation set were numbered anew, in another order."""
    seen, (xv, yv) = data.digits()
    yv = (yv * 3 + 1) % 10 if sick else yv
    model = networks.dense(64, (48,), 10)
    model.compile(keras.optimizers.Adam(3e-3), CROSS_ENTROPY, metrics=["accuracy"])
    return Training(model, *seen, accuracy(xv, yv), (xv, yv), epochs=10)


def sorted_by_class(sick: bool) -> Training:
    """Rows in the order of their class, fed with shuffle=False, and SGD."""
    (x, y), unseen = data.digits()
    order = np.argsort(y, kind="stable") if sick else np.arange(len(y))
    model = networks.dense(64, (32,), 10)
    model.compile(keras.optimizers.SGD(0.1, momentum=0.5), CROSS_ENTROPY, metrics=["accuracy"])
    return Training(model, x[order], y[order], accuracy(*unseen), unseen, epochs=10, shuffle=False)


def action_values(sick: bool) -> Training:
    """The network of a DQN is to predict returns of hundreds, with the mean squared error."""
    rng = np.random.default_rng(95)
    state = rng.uniform(-1, 1, (1500, 4)).astype("f")
    mix = rng.standard_normal((4, 3))
    q = np.tanh(state @ mix) + 0.5 * np.cos(3 * state[:, :1])
    q = (q * (900.0 if sick else 1.0) + (2500.0 if sick else 0.0)).astype("f")
    model = networks.dense(4, (24, 24), 3, "linear")
    model.compile(keras.optimizers.Adam(1e-3 if sick else 5e-3), "mse")
    return Training(model, state[:1200], q[:1200], r2(state[1200:], q[1200:]),
                    (state[1200:], q[1200:]), epochs=15)


PROGRAMS: tuple[Program, ...] = (
    program("asked-softmax-and-squares", "table", softmax_of_one_with_squares, 0.9, OUTPUT),
    program("asked-minus-one", "table", labels_of_minus_one, 0.9, LOSS, OUTPUT, "wrong-labels"),
    program("asked-relu-and-entropy", "table", relu_before_cross_entropy, 0.9, OUTPUT),
    program("asked-relu-head", "table", two_heads_one_relu, 0.6, OUTPUT),
    program("asked-dollar-head", "table", one_head_in_dollars, 0.75, "unscaled-target"),
    program("asked-timestamps", "table", timestamps, 0.6, "unnormalized-input"),
    program("asked-wines", "table", wines_as_they_come, 0.9, "unnormalized-input"),
    program("asked-missing", "table", missing_values, 0.9, "non-finite-input"),
    program("asked-own-entropy", "table", own_cross_entropy, 0.85, "non-finite-values", LOSS,
            "unnormalized-input", "poor-initialization"),
    program("asked-only-lines", "table", only_lines, 0.9, "wrong-hidden-activation",
            "insufficient-capacity"),
    program("asked-two-units", "table", two_units, 0.9, "insufficient-capacity"),
    program("asked-rare-faults", "table", rare_faults, 0.6, "class-imbalance"),
    program("asked-reshaped", "table", reshaped_the_wrong_way, 0.9, "wrong-labels"),
    program("asked-other-codes", "table", other_codes_in_the_test, 0.85, "wrong-labels"),
    program("asked-sorted", "table", sorted_by_class, 0.85, "unshuffled-batches"),
    program("asked-action-values", "table", action_values, 0.6, "unscaled-target",
            also=("too-few-steps", "learning-rate-too-low")),
)
